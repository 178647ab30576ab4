/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libyaml tells the document as a row of events; this turns them into a tree by recursive descent,
 * with the limits checked before anything is allocated.
 */
#include "base/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/cleanup.h"
#include "base/util.h"

struct loader {
	yaml_parser_t parser;
	struct yaml_error *error;
	unsigned depth, nodes;
};

__attribute__((format(printf, 4, 5))) static int
refuse(struct loader *l, int r, const yaml_mark_t *mark, const char *format, ...)
{
	va_list args;

	l->error->line = (unsigned)mark->line + 1;
	l->error->column = (unsigned)mark->column + 1;
	va_start(args, format);
	vsnprintf(l->error->text, sizeof(l->error->text), format, args);
	va_end(args);
	return r;
}

static int next_event(struct loader *l, yaml_event_t *ret)
{
	if (yaml_parser_parse(&l->parser, ret))
		return 0;
	if (l->parser.error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	/* The reader's errors (bad UTF-8) come without a mark; where it had got to is near. */
	return refuse(l, -EINVAL,
		      l->parser.problem_mark.line ? &l->parser.problem_mark : &l->parser.mark,
		      "%s%s%s", l->parser.problem ? l->parser.problem : "not YAML",
		      l->parser.context ? ", " : "", l->parser.context ? l->parser.context : "");
}

struct yaml_node *yaml_tree_free(struct yaml_node *node)
{
	struct yaml_node *next;

	for (; node; node = next) {
		next = node->next;
		yaml_tree_free(node->first);
		free(node->key);
		free(node->text);
		free(node);
	}
	return NULL;
}

bool yaml_is_null(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR && node->plain &&
	       (streq(node->text, "") || streq(node->text, "~") || streq(node->text, "null"));
}

/* The text of a scalar event, as one of our own. */
static int take_text(struct loader *l, const yaml_event_t *event, char **ret)
{
	const char *value = (const char *)event->data.scalar.value;

	if (strlen(value) != event->data.scalar.length)
		return refuse(l, -EINVAL, &event->start_mark, "a NUL character in the text");
	*ret = strdup(value);
	return *ret ? 0 : -ENOMEM;
}

static int check_plain_yaml(struct loader *l, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		anchor = event->data.alias.anchor;
		break;
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor)
		return refuse(l, -EINVAL, &event->start_mark,
			      "anchors (&) and aliases (*) are not supported; quote a text that "
			      "begins so");
	if (tag)
		return refuse(l, -EINVAL, &event->start_mark,
			      "tags (!) are not supported; quote a text that begins so");
	return 0;
}

static int load_members(struct loader *l, struct yaml_node *parent);

/* The node that event begins. */
static int load_node(struct loader *l, const yaml_event_t *event, struct yaml_node **ret)
{
	_cleanup_(yaml_tree_free_p) struct yaml_node *node = NULL;
	int r = check_plain_yaml(l, event);

	if (r < 0)
		return r;
	if (l->nodes == YAML_NODES_MAX)
		return refuse(l, -E2BIG, &event->start_mark, "more than %d values", YAML_NODES_MAX);
	if (l->depth == YAML_DEPTH_MAX)
		return refuse(l, -E2BIG, &event->start_mark, "nested deeper than %d levels",
			      YAML_DEPTH_MAX);
	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	l->nodes++;
	node->line = (unsigned)event->start_mark.line + 1;
	node->column = (unsigned)event->start_mark.column + 1;
	if (event->type == YAML_SCALAR_EVENT) {
		node->kind = YAML_SCALAR;
		node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		r = take_text(l, event, &node->text);
	} else {
		node->kind = event->type == YAML_MAPPING_START_EVENT ? YAML_MAPPING : YAML_SEQUENCE;
		l->depth++;
		r = load_members(l, node);
		l->depth--;
	}
	if (r < 0)
		return r;
	*ret = TAKE(node);
	return 0;
}

/* The key that event is, and its value. */
static int load_pair(struct loader *l, const struct yaml_node *mapping, const yaml_event_t *event,
		     struct yaml_node **ret)
{
	_cleanup_(yaml_tree_free_p) struct yaml_node *node = NULL;
	_cleanup_(yaml_event_delete) yaml_event_t value = { 0 };
	_cleanup_free_ char *key = NULL;
	int r = check_plain_yaml(l, event);

	if (r < 0)
		return r;
	if (event->type != YAML_SCALAR_EVENT)
		return refuse(l, -EINVAL, &event->start_mark, "a key must be a word");
	r = take_text(l, event, &key);
	if (r < 0)
		return r;
	for (const struct yaml_node *other = mapping->first; other; other = other->next)
		if (streq(other->key, key))
			return refuse(l, -EINVAL, &event->start_mark,
				      "the key '%.40s' is already in line %u", key, other->line);
	r = next_event(l, &value);
	if (r < 0)
		return r;
	r = load_node(l, &value, &node);
	if (r < 0)
		return r;
	node->key = TAKE(key);
	node->line = (unsigned)event->start_mark.line + 1;
	node->column = (unsigned)event->start_mark.column + 1;
	*ret = TAKE(node);
	return 0;
}

static int load_members(struct loader *l, struct yaml_node *parent)
{
	struct yaml_node **tail = &parent->first;
	int r;

	for (;;) {
		_cleanup_(yaml_event_delete) yaml_event_t event = { 0 };

		r = next_event(l, &event);
		if (r < 0)
			return r;
		if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT)
			return 0;
		r = parent->kind == YAML_MAPPING ? load_pair(l, parent, &event, tail)
						 : load_node(l, &event, tail);
		if (r < 0)
			return r;
		tail = &(*tail)->next;
	}
}

/* Stream start, document start, one node, document end, stream end. */
static int load_stream(struct loader *l, struct yaml_node **ret)
{
	_cleanup_(yaml_tree_free_p) struct yaml_node *root = NULL;
	int r;

	for (;;) {
		_cleanup_(yaml_event_delete) yaml_event_t event = { 0 };

		r = next_event(l, &event);
		if (r < 0)
			return r;
		switch (event.type) {
		case YAML_STREAM_END_EVENT:
			*ret = TAKE(root);
			return 0;
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (root)
				return refuse(l, -EINVAL, &event.start_mark,
					      "a second document (---) begins here");
			break;
		default:
			r = load_node(l, &event, &root);
			if (r < 0)
				return r;
		}
	}
}

int yaml_parse(const char *text, size_t size, struct yaml_error *error, struct yaml_node **ret)
{
	_cleanup_(yaml_tree_free_p) struct yaml_node *root = NULL;
	struct loader l = { .error = error };
	int r;

	*error = (struct yaml_error){ .line = 1, .column = 1 };
	if (size > YAML_SIZE_MAX)
		return refuse(&l, -E2BIG, &(yaml_mark_t){ 0 }, "larger than %u bytes",
			      YAML_SIZE_MAX);
	if (!yaml_parser_initialize(&l.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, size);
	r = load_stream(&l, &root);
	yaml_parser_delete(&l.parser);
	if (r < 0)
		return r;
	if (root && yaml_is_null(root))
		root = yaml_tree_free(root);
	*ret = TAKE(root);
	return 0;
}
