/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A YAML document as a tree that remembers where everything stood. Only what a configuration needs:
 * one document of mappings, sequences and scalars. Anchors, aliases, tags and a key that is there
 * twice are refused, for each of them makes a file mean something else than it seems to.
 * (yaml_free() is a symbol of libyaml.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define YAML_SIZE_MAX (1u << 20) /* bytes of a document */
#define YAML_DEPTH_MAX 16
#define YAML_NODES_MAX 4096

enum yaml_kind {
	YAML_SCALAR,
	YAML_SEQUENCE,
	YAML_MAPPING,
};

struct yaml_node {
	enum yaml_kind kind;
	unsigned line, column; /* from 1; of the key, for a member of a mapping */
	char *key; /* of a member of a mapping, else NULL */
	char *text; /* of a scalar, else NULL; valid UTF-8 without NUL */
	bool plain; /* scalar without quotes */
	struct yaml_node *first; /* of a sequence or mapping; NULL: empty */
	struct yaml_node *next; /* in the sequence or mapping that this node is part of */
};

struct yaml_error {
	unsigned line, column;
	char text[160]; /* what is wrong */
};

/*
 * *ret becomes the tree, owned by the caller; NULL for a document without content.
 * -EINVAL: not such a document; -E2BIG: one of the limits above. error says what and where.
 */
int yaml_parse(const char *text, size_t size, struct yaml_error *error, struct yaml_node **ret);
struct yaml_node *yaml_tree_free(struct yaml_node *node); /* takes NULL, returns NULL */

/* True for a scalar that stands for no value: nothing at all, ~ or null. */
bool yaml_is_null(const struct yaml_node *node);

static inline void yaml_tree_free_p(struct yaml_node **node)
{
	yaml_tree_free(*node);
}
