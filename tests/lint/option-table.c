/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Prints the keys of this build, for tests/lint/check-options:
 *     option-table --keys [FILE]    "KEY: DEFAULT" a line, or the values that FILE sets
 *     option-table --conf           what conf/ebpfobsd.yaml must be
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/util.h"
#include "daemon/config-internal.h"
#include "daemon/options.h"

#define KEYS_MAX 1024

struct row {
	char *key, *value;
	const char *help;
};

static struct row rows[KEYS_MAX];
static size_t n_rows;

/* The default as YAML; text in quotes, since "127.0.0.1:80" and "*" mean something in YAML. */
static char *value_as_yaml(const struct option *o, const void *values)
{
	_cleanup_json_ struct json_object *json = option_to_json(o, values);
	bool quoted = o->type == OPTION_STRING || o->type == OPTION_SECRET;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (!json_object_is_type(json, json_type_array))
		return strdup(quoted ? json_object_to_json_string_ext(
					       json, JSON_C_TO_STRING_NOSLASHESCAPE)
				     : json_object_get_string(json));
	out = open_memstream(&text, &size);
	fputc('[', out);
	for (size_t i = 0; i < json_object_array_length(json); i++)
		fprintf(out, "%s%s", i ? ", " : "",
			json_object_get_string(json_object_array_get_idx(json, i)));
	fputc(']', out);
	fclose(out);
	return text;
}

static bool add_row(void *userdata, const char *key, const struct config_slot *slot)
{
	rows[n_rows++] = (struct row){ strdup(key), value_as_yaml(slot->option, slot->values),
				       slot->option->help };
	return n_rows < KEYS_MAX;
}

/* True if an earlier row has the same first n bytes, so that its section was printed already. */
static bool is_repeated(size_t row, size_t n)
{
	for (size_t i = 0; i < row; i++)
		if (strncmp(rows[i].key, rows[row].key, n) == 0 && rows[i].key[n] == '.')
			return true;
	return false;
}

/* The keys that begin with the first n bytes of a key ("collectors."), in the order of the rows. */
static void print_section(const char *section, size_t n, int depth)
{
	for (size_t i = 0; i < n_rows; i++) {
		const char *word = rows[i].key + n;
		size_t length;

		if (strncmp(rows[i].key, section, n) != 0)
			continue; /* perhaps shorter than n */
		length = strcspn(word, ".");
		if (word[length] == '\0') {
			printf("%s#%*s# %s\n", depth ? "" : "\n", depth * 2, "", rows[i].help);
			printf("#%*s%s: %s\n", depth * 2, "", word, rows[i].value);
		} else if (!is_repeated(i, n + length)) {
			printf("%s#%*s%.*s:\n", depth ? "" : "\n", depth * 2, "", (int)length,
			       word);
			print_section(rows[i].key, n + length + 1, depth + 1);
		}
	}
}

static void print_conf(void)
{
	puts("# Configuration of ebpfobsd, see ebpfobsd.yaml(5). All keys are here with their "
	     "defaults,\n"
	     "# commented out: take away the first # of a line and of the sections above it.\n"
	     "# What you set in files of your own, ebpfobsd.yaml.d/NAME.yaml, wins over this one.\n"
	     "# \"ebpfobsd --check-config\" says whether all is well; \"ebpfobsctl config show\" "
	     "what is\n"
	     "# in force and where it comes from.");
	print_section("", 0, 0);
}

static void print_keys(void)
{
	for (size_t i = 0; i < n_rows; i++)
		printf("%s: %s\n", rows[i].key, rows[i].value);
}

/* FILE's values, or the defaults. */
static int load(const struct option_registry *registry, const char *file)
{
	const struct config_source source = { registry->groups, file, .path_required = true };
	_cleanup_(config_free_p) struct config *config = NULL;
	struct config_errors errors;
	int r = config_load(&source, &errors, &config);

	if (r == -EINVAL)
		for (size_t i = 0; i < errors.n; i++)
			fprintf(stderr, "%s\n", errors.text[i]);
	if (r < 0)
		return r;
	config_each(config, add_row, NULL);
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_(option_registry_free_p) struct option_registry *registry = NULL;

	if (argc < 2 || option_registry_new(&registry) < 0 || load(registry, argv[2]) < 0)
		return EXIT_FAILURE;
	if (streq(argv[1], "--conf"))
		print_conf();
	else
		print_keys();
	for (size_t i = 0; i < n_rows; i++) {
		free(rows[i].key);
		free(rows[i].value);
	}
	return EXIT_SUCCESS;
}
