/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file and its drop-ins, and the walk through their YAML. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/util.h"
#include "base/yaml.h"
#include "daemon/config-internal.h"

#define SIBLINGS_MAX 128 /* keys of one section that a misspelt one is compared with */

/* One file on its way in. */
struct file {
	struct config *config;
	struct config_errors *errors;
	const char *name;
	unsigned number; /* from 1 */
};

/* --- a key that is not there --------------------------------------------------------------- */

/* The words that may stand in one section. */
struct siblings {
	const char *section; /* "collectors.flows"; "" at the top */
	size_t n;
	char *words[SIBLINGS_MAX];
};

static bool add_sibling(void *userdata, const char *key, const struct config_slot *slot)
{
	struct siblings *s = userdata;
	size_t n = strlen(s->section);
	char *word;

	if (n > 0 && (strncmp(key, s->section, n) != 0 || key[n] != '.'))
		return true;
	key += n > 0 ? n + 1 : 0;
	word = strndup(key, strcspn(key, "."));
	if (!word)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (streq(s->words[i], word)) {
			free(word);
			return true;
		}
	s->words[s->n++] = word;
	return s->n < SIBLINGS_MAX;
}

static void unknown_key(struct file *f, const char *section, const struct yaml_node *node)
{
	struct siblings siblings = { .section = section };
	char known[CONFIG_ERROR_LEN / 2] = "", key[CONFIG_KEY_MAX];
	const char *nearest;
	size_t used = 0;

	config_each(f->config, add_sibling, &siblings);
	config_key(section, node->key, key);
	nearest = text_nearest(node->key, (const char *const *)siblings.words, siblings.n);
	for (size_t i = 0; i < siblings.n && used < sizeof(known); i++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
					 siblings.words[i]);
	if (nearest)
		config_error(f->errors, "%s:%u: unknown key '%.99s'; did you mean '%s'?", f->name,
			     node->line, key, nearest);
	else
		config_error(f->errors, "%s:%u: unknown key '%.99s'; known here: %s", f->name,
			     node->line, key, known);
	for (size_t i = 0; i < siblings.n; i++)
		free(siblings.words[i]);
}

/* --- a key that is there ------------------------------------------------------------------- */

static int set_value(struct file *f, const char *key, const struct yaml_node *node,
		     const struct config_slot *slot)
{
	char sentence[CONFIG_ERROR_LEN / 2], *origin;
	int r;

	/* "a: {b: 1}" and "a.b: 2" in one file: the reader of the file can't know which one wins. */
	if (slot->origin->file == f->number) {
		config_error(f->errors, "%s:%u: '%s' is already set in line %u", f->name,
			     node->line, key, slot->origin->line);
		return 0;
	}
	r = option_set_yaml(slot->option, slot->values, node, sentence, sizeof(sentence));
	if (r == -EINVAL) {
		config_error(f->errors, "%s:%u: '%s': %s", f->name, node->line, key, sentence);
		return 0;
	}
	if (r < 0)
		return r;
	if (asprintf(&origin, "%s:%u", f->name, node->line) < 0)
		return -ENOMEM;
	free(slot->origin->text);
	*slot->origin = (struct config_origin){ origin, f->number, node->line };
	return 0;
}

struct section_search {
	const char *section;
	bool found;
};

static bool is_not_below(void *userdata, const char *key, const struct config_slot *slot)
{
	struct section_search *search = userdata;
	size_t n = strlen(search->section);

	search->found = strncmp(key, search->section, n) == 0 && key[n] == '.';
	return !search->found;
}

/* True if some key begins with "section.". */
static bool is_section(const struct config *config, const char *section)
{
	struct section_search search = { .section = section };

	config_each(config, is_not_below, &search);
	return search.found;
}

static int apply_section(struct file *f, const char *section, const struct yaml_node *mapping)
{
	char key[CONFIG_KEY_MAX];
	struct config_slot slot;
	int r = 0;

	for (const struct yaml_node *node = mapping->first; node && r == 0; node = node->next) {
		config_key(section, node->key, key);
		if (config_find(f->config, key, &slot))
			r = set_value(f, key, node, &slot);
		else if (!is_section(f->config, key))
			unknown_key(f, section, node);
		else if (node->kind == YAML_MAPPING)
			r = apply_section(f, key, node);
		/* A section in which everything is commented out is no mistake. */
		else if (!yaml_is_null(node))
			config_error(f->errors,
				     "%s:%u: '%s' is a section: keys are wanted below it", f->name,
				     node->line, key);
	}
	return r;
}

int config_apply_text(struct config *config, const char *name, const char *text, size_t size,
		      struct config_errors *errors)
{
	_cleanup_(yaml_tree_free_p) struct yaml_node *root = NULL;
	struct file f = { config, errors, name, (unsigned)config->n_files + 1 };
	struct yaml_error error;
	int r;

	config->files[config->n_files] = strdup(name);
	if (!config->files[config->n_files])
		return -ENOMEM;
	config->n_files++;
	r = yaml_parse(text, size, &error, &root);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		config_error(errors, "%s:%u:%u: %s", name, error.line, error.column, error.text);
	else if (root && root->kind != YAML_MAPPING)
		config_error(errors, "%s:%u: keys are wanted here, as in 'log: {level: info}'",
			     name, root->line);
	else if (root)
		r = apply_section(&f, "", root);
	return r == -ENOMEM ? r : 0;
}

/* --- files --------------------------------------------------------------------------------- */

/* Up to one byte more than YAML may have, which yaml_parse() then refuses. */
static int read_text(const char *path, char **ret, size_t *ret_size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	size_t n = 0, room = 0;
	char *more;

	if (!file)
		return -errno;
	while (n == room && n <= YAML_SIZE_MAX) {
		room = room ? MIN(2 * room, YAML_SIZE_MAX + 1) : 4096;
		more = realloc(text, room);
		if (!more)
			return -ENOMEM;
		text = more;
		errno = 0;
		n += fread(text + n, 1, room - n, file);
		if (ferror(file))
			return errno ? -errno : -EIO;
	}
	*ret = TAKE(text);
	*ret_size = n;
	return 0;
}

static int apply_file(struct config *config, const char *path, bool required,
		      struct config_errors *errors)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = read_text(path, &text, &size);

	if (r == -ENOENT && !required)
		return 0;
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		config_error(errors, "%s: cannot be read: %s", path, strerror(-r));
		return 0;
	}
	return config_apply_text(config, path, text, size, errors);
}

static int is_dropin(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > strlen(".yaml") &&
	       streq(entry->d_name + n - strlen(".yaml"), ".yaml");
}

/* Not alphasort(), which would order by locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int apply_dropins(struct config *config, const char *path, struct config_errors *errors)
{
	_cleanup_free_ char *directory = NULL;
	struct dirent **entries;
	int n, r = 0;

	if (asprintf(&directory, "%s.d", path) < 0)
		return -ENOMEM;
	n = scandir(directory, &entries, is_dropin, compare_names);
	if (n < 0) {
		if (errno == ENOMEM)
			return -ENOMEM;
		if (errno != ENOENT)
			config_error(errors, "%s: cannot be read: %m", directory);
		return 0;
	}
	if (n > CONFIG_DROPINS_MAX)
		config_error(errors, "%s: %d files, more than %d", directory, n,
			     CONFIG_DROPINS_MAX);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *file = NULL;

		if (r == 0 && i < CONFIG_DROPINS_MAX)
			r = asprintf(&file, "%s/%s", directory, entries[i]->d_name) < 0
				    ? -ENOMEM
				    : apply_file(config, file, /* required= */ true, errors);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int config_apply_files(struct config *config, const char *path, bool required,
		       struct config_errors *errors)
{
	int r = apply_file(config, path, required, errors);

	return r < 0 ? r : apply_dropins(config, path, errors);
}
