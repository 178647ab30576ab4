/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Start code is told by what nobody else does: it ends the program or the thread with the result of a
 * function that it was given, exit(main(argc, argv, environ)) and __pthread_exit(start(argument)). In
 * x86-64 code that is an indirect call, its result moved to where the first argument goes, a direct call,
 * and then either nothing more of the function, because that call does not return, or in front of it
 * all a function and its argument taken out of one struct. Looked at was musl 1.2.3 as GCC 12 compiles it.
 */
#include "binary/start-code.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"

#define ENTRY_MAX 64 /* bytes of an entry point; musl's _start has 22 */
#define CALL_SIZE 5 /* e8 and 32 bits */
#define FUNCTION_ALIGN 16
#define BEFORE 6 /* bytes in front of a move that tell what is called */
#define BEHIND 24 /* bytes from the move on: move, call and padding */

struct found {
	struct start_code *at;
	size_t n;
};

/* In order, and apart from each other. */
static void add(struct found *found, uint64_t begin, uint64_t end)
{
	if (found->n == START_CODE_MAX || (found->n > 0 && begin < found->at[found->n - 1].end))
		return;
	found->at[found->n++] = (struct start_code){ begin, end };
}

/* The length of the move of a result to the first argument at p, with a direct call behind it; 0: none. */
static size_t move_size(const uint8_t *p)
{
	static const uint8_t to_rdi[] = { 0x48, 0x89, 0xc7, 0xe8 }; /* mov %rax,%rdi */
	static const uint8_t int_to_rdi[] = { 0x48, 0x63, 0xf8, 0xe8 }; /* movslq %eax,%rdi */
	static const uint8_t to_edi[] = { 0x89, 0xc7, 0xe8 }; /* mov %eax,%edi */

	if (memcmp(p, to_edi, sizeof(to_edi)) == 0)
		return sizeof(to_edi) - 1;
	if (memcmp(p, to_rdi, sizeof(to_rdi)) == 0 ||
	    memcmp(p, int_to_rdi, sizeof(int_to_rdi)) == 0)
		return sizeof(to_rdi) - 1;
	return 0;
}

/* An indirect call ends at p: through a register, or memory that a register points to. */
static bool is_indirect_call(const uint8_t *p)
{
	return (p[-2] == 0xff && ((p[-1] & 0xf8) == 0xd0 || (p[-1] & 0xf8) == 0x10)) ||
	       (p[-3] == 0xff && (p[-2] & 0xf8) == 0x50) ||
	       (p[-4] == 0xff && p[-3] == 0x54 && p[-2] == 0x24);
}

/* mov 8(%REG),%rdi; call *(%REG) */
static bool calls_closure(const uint8_t *p)
{
	return p[-6] == 0x48 && p[-5] == 0x8b && (p[-4] & 0xf8) == 0x78 && p[-3] == 8 &&
	       p[-2] == 0xff && p[-1] == (0x10 | (p[-4] & 7));
}

/* push %REG, sub N,%rsp or endbr64, as functions begin. */
static bool is_prologue(const uint8_t *p)
{
	return (p[0] & 0xf8) == 0x50 || (p[0] == 0x41 && (p[1] & 0xf8) == 0x50) ||
	       (p[0] == 0x48 && (p[1] == 0x83 || p[1] == 0x81) && p[2] == 0xec) ||
	       (p[0] == 0xf3 && p[1] == 0x0f && p[2] == 0x1e);
}

/* A function ends at p: n bytes of padding follow (nop of one byte and more, int3, hlt), or the next. */
static bool is_end(const uint8_t *p, size_t n)
{
	if (n == 0)
		return is_prologue(p);
	if (*p == 0xcc || *p == 0xf4)
		return true;
	for (; n > 1 && (*p == 0x66 || *p == 0x2e); p++)
		n--;
	return *p == 0x90 || (n > 1 && p[0] == 0x0f && p[1] == 0x1f);
}

/* From the last byte of the first call to the end of the second: both return addresses, less one. */
static void find_callers(const uint8_t *code, size_t size, uint64_t address, struct found *found)
{
	for (size_t at = BEFORE; at < size; at++) {
		size_t move = move_size(code + at), end = at + move + CALL_SIZE;

		if (move > 0 && is_indirect_call(code + at) &&
		    (is_end(code + end, -(address + end) % FUNCTION_ALIGN) ||
		     calls_closure(code + at)))
			add(found, address + at - 1, address + end);
	}
}

/* The text from begin to end and BEHIND bytes more, which are 0 where there is no more. */
static uint8_t *read_code(const struct elf_file *elf, const struct elf_segment *text,
			  uint64_t begin, uint64_t end)
{
	uint64_t left = text->vaddr + text->size - begin, wanted = end - begin + BEHIND;
	uint8_t *code;

	if (end - begin > START_CODE_BYTES_MAX)
		return NULL;
	code = calloc(1, wanted);
	if (code && elf_file_read_at(elf, text->offset + (begin - text->vaddr), code,
				     MIN(left, wanted)) < 0)
		free(TAKE(code));
	return code;
}

static void find_in_segment(const struct elf_file *elf, const struct elf_segment *text,
			    uint64_t begin, uint64_t end, struct found *found)
{
	bool has_entry = elf->entry > 0 && elf->entry >= begin && elf->entry < end;
	_cleanup_free_ uint8_t *code = NULL;
	uint64_t entry_end;

	if (elf->machine == EM_X86_64)
		code = read_code(elf, text, begin, end);
	if (code && has_entry)
		find_callers(code, elf->entry - begin, begin, found);
	else if (code)
		find_callers(code, end - begin, begin, found);
	if (!has_entry)
		return;
	entry_end = MIN(elf->entry + ENTRY_MAX, end);
	add(found, elf->entry, entry_end);
	if (code)
		find_callers(code + (entry_end - begin), end - entry_end, entry_end, found);
}

size_t start_code_find(const struct elf_file *elf, uint64_t begin, uint64_t end,
		       struct start_code ret[static START_CODE_MAX])
{
	struct found found = { .at = ret };

	for (size_t i = 0; i < elf->n_text; i++) {
		const struct elf_segment *text = &elf->text[i];
		uint64_t from = MAX(begin, text->vaddr), to = MIN(end, text->vaddr + text->size);

		if (from < to)
			find_in_segment(elf, text, from, to, &found);
	}
	return found.n;
}
