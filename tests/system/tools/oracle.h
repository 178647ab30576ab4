/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The same sample unwound by somebody else: the profile program sits on perf events that record, too,
 * the user's registers and up to 64 KiB of the stack, and elfutils' libdwfl unwinds those. Prints a
 * line per sample:
 *
 *   oracle TIME TGID TID END FRAME...    END: 0 the root, 1 beyond what was recorded, 2 for another reason;
 *                                        FRAME: FILE+ADDRESS or ?+ADDRESS, as stack-sampler has them
 *
 * and nothing for a process that was gone before its mappings could be read.
 */
#pragma once

struct bpf_program;
struct oracle;

/* The program must return 1 for the samples that are to be recorded. -errno of perf_event_open(2). */
int oracle_new(const struct bpf_program *program, unsigned frequency, struct oracle **ret);
struct oracle *oracle_free(struct oracle *oracle); /* takes NULL, returns NULL */

/* Unwinds and prints what was recorded; before the processes are gone. Takes NULL. */
void oracle_drain(struct oracle *oracle);
