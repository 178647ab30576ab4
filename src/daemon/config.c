/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration as an object: one section per option group, and for each value where it came
 * from. config-yaml.c and config-environment.c fill it while it is loaded.
 */
#include "daemon/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "base/util.h"
#include "daemon/config-internal.h"

static size_t count_options(const struct option_group *group)
{
	size_t n = 0;

	while (group->options[n].key)
		n++;
	return n;
}

static void section_done(struct config_section *section)
{
	if (section->values)
		option_group_done(section->group, section->values);
	free(section->values);
	for (size_t i = 0; section->origins && i < count_options(section->group); i++)
		free(section->origins[i].text);
	free(section->origins);
}

static int section_init(struct config_section *section, const struct option_group *group)
{
	void *values = malloc(group->size);
	int r;

	if (!values)
		return -ENOMEM;
	r = option_group_init(group, values);
	if (r < 0) {
		free(values);
		return r;
	}
	section->group = group;
	section->values = values;
	section->origins = calloc(count_options(group) + 1, sizeof(*section->origins));
	return section->origins ? 0 : -ENOMEM;
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < config->n_sections; i++)
		section_done(&config->sections[i]);
	free(config->sections);
	for (size_t i = 0; i < config->n_files; i++)
		free(config->files[i]);
	free(config);
	return NULL;
}

/* All defaults. */
static int config_new(const struct option_group *const *groups, struct config **ret)
{
	_cleanup_(config_free_p) struct config *config = calloc(1, sizeof(*config));
	size_t n = 0;
	int r;

	if (!config)
		return -ENOMEM;
	while (groups[n])
		n++;
	config->sections = calloc(n + 1, sizeof(*config->sections));
	if (!config->sections)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		config->n_sections++;
		r = section_init(&config->sections[i], groups[i]);
		if (r < 0)
			return r;
	}
	*ret = TAKE(config);
	return 0;
}

void config_key(const char *prefix, const char *key, char buf[static CONFIG_KEY_MAX])
{
	snprintf(buf, CONFIG_KEY_MAX, "%s%s%s", prefix, *prefix ? "." : "", key);
}

void config_each(const struct config *config,
		 bool (*fn)(void *userdata, const char *key, const struct config_slot *slot),
		 void *userdata)
{
	char key[CONFIG_KEY_MAX];

	for (size_t i = 0; i < config->n_sections; i++) {
		const struct config_section *section = &config->sections[i];

		for (size_t k = 0; section->group->options[k].key; k++) {
			struct config_slot slot = { &section->group->options[k], section->values,
						    &section->origins[k] };

			config_key(section->group->prefix, slot.option->key, key);
			if (!fn(userdata, key, &slot))
				return;
		}
	}
}

struct search {
	const char *key;
	struct config_slot slot;
};

static bool is_not_it(void *userdata, const char *key, const struct config_slot *slot)
{
	struct search *search = userdata;

	if (!streq(key, search->key))
		return true;
	search->slot = *slot;
	return false;
}

bool config_find(const struct config *config, const char *key, struct config_slot *ret)
{
	struct search search = { .key = key };

	config_each(config, is_not_it, &search);
	if (!search.slot.option)
		return false;
	*ret = search.slot;
	return true;
}

void config_error(struct config_errors *errors, const char *format, ...)
{
	char raw[CONFIG_ERROR_LEN];
	va_list args;

	if (errors->n == CONFIG_ERRORS_MAX) {
		errors->more++;
		return;
	}
	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	/* Keys and values of the file are in it. */
	text_escape(TEXT_TERMINAL, raw, errors->text[errors->n++], CONFIG_ERROR_LEN);
}

/* What only the values of a group together can be wrong in. */
static void check_sections(const struct config *config, struct config_errors *errors)
{
	char sentence[CONFIG_ERROR_LEN - CONFIG_KEY_MAX];

	for (size_t i = 0; i < config->n_sections; i++) {
		const struct config_section *s = &config->sections[i];

		if (s->group->check && s->group->check(s->values, sentence, sizeof(sentence)) < 0)
			config_error(errors, "%s: %s", s->group->prefix, sentence);
	}
}

int config_load(const struct config_source *source, struct config_errors *errors,
		struct config **ret)
{
	_cleanup_(config_free_p) struct config *config = NULL;
	int r;

	errors->n = errors->more = 0;
	r = config_new(source->groups, &config);
	if (r == 0 && source->path)
		r = config_apply_files(config, source->path, source->path_required, errors);
	if (r == 0 && source->environment)
		r = config_apply_environment(config, source->environment, errors);
	if (r < 0)
		return r;
	if (errors->n == 0)
		check_sections(config, errors);
	if (errors->n > 0)
		return -EINVAL;
	*ret = TAKE(config);
	return 0;
}

const void *config_get(const struct config *config, const struct option_group *group)
{
	for (size_t i = 0; i < config->n_sections; i++)
		if (config->sections[i].group == group)
			return config->sections[i].values;
	return NULL;
}

struct listing {
	struct json_object *array;
	int r;
};

static bool list_option(void *userdata, const char *key, const struct config_slot *slot)
{
	struct listing *listing = userdata;
	struct json_object *option = json_object_new_object();
	const char *origin = slot->origin->text ? slot->origin->text : "default";

	listing->r = json_add_string(option, "key", key) ?:
		     json_add(option, "value", option_to_json(slot->option, slot->values)) ?:
		     json_add_string(option, "source", origin);
	if (listing->r < 0)
		json_object_put(option);
	else
		listing->r = json_append(listing->array, option);
	return listing->r == 0;
}

static struct json_object *options_to_json(const struct config *config)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	struct listing listing = { .array = array };

	config_each(config, list_option, &listing);
	return listing.r < 0 ? NULL : TAKE(array);
}

static struct json_object *files_to_json(const struct config *config)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < config->n_files; i++)
		if (json_append(array, json_new_string(config->files[i])) < 0)
			return NULL;
	return TAKE(array);
}

int config_to_json(const struct config *config, struct json_object **ret)
{
	_cleanup_json_ struct json_object *root = json_object_new_object();
	int r = json_add(root, "files", files_to_json(config))
			?: json_add(root, "options", options_to_json(config));

	if (r < 0)
		return r;
	*ret = TAKE(root);
	return 0;
}
