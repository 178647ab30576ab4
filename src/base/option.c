/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From wherever a value comes, it is a row of words: one word for most types, any number for lists.
 * A value is first built beside the old one, so that a bad word leaves the old one in place.
 */
#include "base/option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "base/util.h"
#include "base/yaml.h"

union value {
	bool boolean;
	int64_t integer;
	double ratio;
	uint64_t number; /* bytes, nanoseconds */
	char *text;
	int choice;
	uint32_t choices;
	struct option_list list;
};

/* Where the sentence about a bad word goes. */
struct complaint {
	char *text;
	size_t size;
};

#define QUOTED_MAX 48 /* of a bad word, in a sentence */

__attribute__((format(printf, 3, 4))) static int complain(const struct complaint *c,
							  const char *word, const char *format, ...)
{
	char quoted[QUOTED_MAX];
	va_list args;
	int n;

	text_escape(TEXT_TERMINAL, word, quoted, sizeof(quoted));
	n = snprintf(c->text, c->size, "'%s' ", quoted);
	if (n < 0 || (size_t)n >= c->size)
		return -EINVAL;
	va_start(args, format);
	vsnprintf(c->text + n, c->size - (size_t)n, format, args);
	va_end(args);
	return -EINVAL;
}

static bool is_list(enum option_type type)
{
	return type == OPTION_LIST || type == OPTION_ENUM_LIST;
}

static size_t value_size(enum option_type type)
{
	switch (type) {
	case OPTION_BOOL:
		return sizeof(bool);
	case OPTION_INT:
		return sizeof(int64_t);
	case OPTION_RATIO:
		return sizeof(double);
	case OPTION_BYTES:
	case OPTION_DURATION:
		return sizeof(uint64_t);
	case OPTION_STRING:
	case OPTION_SECRET:
		return sizeof(char *);
	case OPTION_ENUM:
		return sizeof(int);
	case OPTION_LIST:
		return sizeof(struct option_list);
	case OPTION_ENUM_LIST:
		return sizeof(uint32_t);
	}
	return 0;
}

static void value_done(enum option_type type, union value *v)
{
	if (type == OPTION_STRING || type == OPTION_SECRET)
		free(v->text);
	if (type == OPTION_LIST) {
		for (size_t i = 0; i < v->list.n; i++)
			free(v->list.values[i]);
		free(v->list.values);
	}
}

static void load_value(const struct option *o, const void *values, union value *ret)
{
	*ret = (union value){ 0 };
	memcpy(ret, (const char *)values + o->offset, value_size(o->type));
}

static void store_value(const struct option *o, void *values, const union value *v)
{
	union value old;

	load_value(o, values, &old);
	value_done(o->type, &old);
	memcpy((char *)values + o->offset, v, value_size(o->type));
}

/* --- one word ------------------------------------------------------------------------------ */

static int parse_bool(const char *word, bool *ret, const struct complaint *c)
{
	static const char *const yes[] = { "true", "yes", "on" }, *const no[] = { "false", "no",
										  "off" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		if (streq(word, yes[i]) || streq(word, no[i])) {
			*ret = streq(word, yes[i]);
			return 0;
		}
	return complain(c, word, "is neither true nor false");
}

static int parse_int(const struct option *o, const char *word, int64_t *ret,
		     const struct complaint *c)
{
	bool negative = *word == '-';
	uint64_t n;

	if (text_parse_u64(word + negative, &n) < 0 || n > INT64_MAX)
		return complain(c, word, "is not a number");
	*ret = negative ? -(int64_t)n : (int64_t)n;
	if (*ret < o->min)
		return complain(c, word, "is less than %" PRId64, o->min);
	if (o->max && *ret > o->max)
		return complain(c, word, "is more than %" PRId64, o->max);
	return 0;
}

static int parse_number(const struct option *o, const char *word, uint64_t *ret,
			const struct complaint *c)
{
	bool bytes = o->type == OPTION_BYTES;
	int r = bytes ? text_parse_bytes(word, ret) : text_parse_duration(word, ret);
	const char *(*format)(uint64_t, char *) = bytes ? text_format_bytes : text_format_duration;
	char limit[TEXT_NUMBER_LEN];

	if (r == -EINVAL)
		return complain(c, word,
				bytes ? "is not a size like 4096, 64M or 1G"
				      : "is not a duration like 100ms, 5s, 10m or 24h");
	if (r == 0 && *ret < (uint64_t)o->min)
		return complain(c, word, "is less than %s", format((uint64_t)o->min, limit));
	if (r == -ERANGE || *ret > (uint64_t)(o->max ? o->max : INT64_MAX))
		return complain(c, word, "is more than %s",
				format((uint64_t)(o->max ? o->max : INT64_MAX), limit));
	return 0;
}

static int parse_ratio(const char *word, double *ret, const struct complaint *c)
{
	return text_parse_ratio(word, ret) == 0
		       ? 0
		       : complain(c, word, "is not a ratio from 0 to 1 or 0%% to 100%%");
}

static int parse_choice(const struct option *o, const char *word, int *ret,
			const struct complaint *c)
{
	char known[256] = "";
	size_t n = 0, used = 0;
	const char *nearest;

	for (; o->choices[n]; n++) {
		if (streq(word, o->choices[n])) {
			*ret = (int)n;
			return 0;
		}
		if (used < sizeof(known))
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
						 n ? ", " : "", o->choices[n]);
	}
	nearest = text_nearest(word, o->choices, n);
	if (nearest)
		return complain(c, word, "is none of %s; did you mean '%s'?", known, nearest);
	return complain(c, word, "is none of %s", known);
}

static int copy_text(const char *word, char **ret)
{
	*ret = strdup(word);
	return *ret ? 0 : -ENOMEM;
}

static int add_to_list(const char *word, struct option_list *list)
{
	char **values = realloc(list->values, (list->n + 1) * sizeof(*values));
	int r;

	if (!values)
		return -ENOMEM;
	list->values = values;
	r = copy_text(word, &list->values[list->n]);
	if (r < 0)
		return r;
	list->n++;
	return 0;
}

/* Sets v, or adds to it if it is a list. */
static int parse_word(const struct option *o, const char *word, union value *v,
		      const struct complaint *c)
{
	int r, choice;

	if (o->check && o->check(word, c->text, c->size) < 0)
		return -EINVAL;
	switch (o->type) {
	case OPTION_BOOL:
		return parse_bool(word, &v->boolean, c);
	case OPTION_INT:
		return parse_int(o, word, &v->integer, c);
	case OPTION_RATIO:
		return parse_ratio(word, &v->ratio, c);
	case OPTION_BYTES:
	case OPTION_DURATION:
		return parse_number(o, word, &v->number, c);
	case OPTION_STRING:
	case OPTION_SECRET:
		return copy_text(word, &v->text);
	case OPTION_ENUM:
		return parse_choice(o, word, &v->choice, c);
	case OPTION_LIST:
		return add_to_list(word, &v->list);
	case OPTION_ENUM_LIST:
		r = parse_choice(o, word, &choice, c);
		if (r == 0)
			v->choices |= UINT32_C(1) << choice;
		return r;
	}
	return -EINVAL;
}

/* --- rows of words ------------------------------------------------------------------------- */

static int set_words(const struct option *o, void *values, char *const *words, size_t n,
		     const struct complaint *c)
{
	union value v = { 0 };
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = parse_word(o, words[i], &v, c);
	if (r < 0) {
		value_done(o->type, &v);
		return r;
	}
	store_value(o, values, &v);
	return 0;
}

static int say(const struct complaint *c, const char *sentence)
{
	snprintf(c->text, c->size, "%s", sentence);
	return -EINVAL;
}

int option_set_text(const struct option *option, void *values, const char *text, char *error,
		    size_t error_size)
{
	const struct complaint c = { error, error_size };
	_cleanup_free_ char *copy = strdup(text);
	char *words[OPTION_LIST_MAX], *rest = copy, *word;
	size_t n = 0;

	if (!copy)
		return -ENOMEM;
	if (!is_list(option->type))
		return set_words(option, values, &copy, 1, &c);
	while ((word = strsep(&rest, ","))) {
		word += strspn(word, " ");
		for (size_t end = strlen(word); end > 0 && word[end - 1] == ' ';)
			word[--end] = '\0';
		if (*word == '\0')
			continue;
		if (n == ARRAY_SIZE(words))
			return say(&c, "too many values");
		words[n++] = word;
	}
	return set_words(option, values, words, n, &c);
}

int option_set_yaml(const struct option *option, void *values, const struct yaml_node *node,
		    char *error, size_t error_size)
{
	const struct complaint c = { error, error_size };
	char *words[OPTION_LIST_MAX];
	size_t n = 0;

	if (node->kind == YAML_MAPPING)
		return say(&c, "a value is wanted here, not a section");
	if (yaml_is_null(node))
		return say(&c, is_list(option->type) ? "has no value; the empty list is []"
						     : "has no value; the empty text is \"\"");
	if (node->kind == YAML_SCALAR) {
		words[0] = node->text;
		return set_words(option, values, words, 1, &c);
	}
	if (!is_list(option->type))
		return say(&c, "one value is wanted here, not a list");
	for (const struct yaml_node *item = node->first; item; item = item->next) {
		if (item->kind != YAML_SCALAR || yaml_is_null(item))
			return say(&c, "each value of the list must be a word");
		if (n == ARRAY_SIZE(words))
			return say(&c, "too many values");
		words[n++] = item->text;
	}
	return set_words(option, values, words, n, &c);
}

/* --- groups -------------------------------------------------------------------------------- */

int option_group_init(const struct option_group *group, void *values)
{
	char error[256];
	int r;

	memset(values, 0, group->size);
	for (const struct option *o = group->options; o->key; o++) {
		if (!o->value && o->type != OPTION_STRING && o->type != OPTION_SECRET)
			continue;
		r = option_set_text(o, values, o->value ? o->value : "", error, sizeof(error));
		if (r < 0) {
			option_group_done(group, values);
			return r;
		}
	}
	return 0;
}

void option_group_done(const struct option_group *group, void *values)
{
	static const union value nothing;

	for (const struct option *o = group->options; o->key; o++)
		store_value(o, values, &nothing);
}

/* --- out ----------------------------------------------------------------------------------- */

static struct json_object *list_to_json(const struct option_list *list)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->n; i++)
		if (json_append(array, json_new_string(list->values[i])) < 0)
			return NULL;
	return TAKE(array);
}

static struct json_object *choices_to_json(const struct option *o, uint32_t choices)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();

	for (unsigned i = 0; o->choices[i]; i++)
		if (choices & UINT32_C(1) << i &&
		    json_append(array, json_object_new_string(o->choices[i])) < 0)
			return NULL;
	return TAKE(array);
}

struct json_object *option_to_json(const struct option *option, const void *values)
{
	char number[TEXT_NUMBER_LEN];
	union value v;

	load_value(option, values, &v);
	switch (option->type) {
	case OPTION_BOOL:
		return json_object_new_boolean(v.boolean);
	case OPTION_INT:
		return json_object_new_int64(v.integer);
	case OPTION_RATIO:
		return json_object_new_double(v.ratio);
	case OPTION_BYTES:
		return json_object_new_string(text_format_bytes(v.number, number));
	case OPTION_DURATION:
		return json_object_new_string(text_format_duration(v.number, number));
	case OPTION_STRING:
		return json_new_string(v.text);
	case OPTION_SECRET:
		return json_object_new_string(*v.text ? "(hidden)" : "");
	case OPTION_ENUM:
		return json_object_new_string(option->choices[v.choice]);
	case OPTION_LIST:
		return list_to_json(&v.list);
	case OPTION_ENUM_LIST:
		return choices_to_json(option, v.choices);
	}
	return NULL;
}
