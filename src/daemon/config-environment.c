/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * EBPFOBS_ and the key, in upper case with dots as underscores, and the variables that other tools
 * gave a name. An empty variable counts as absent, as OpenTelemetry has it: container tools hand
 * variables on that way. A variable that names a section of ours but no key is a mistake; any other
 * EBPFOBS_ variable is someone else's (EBPFOBS_SOCKET of ebpfobsctl, Kubernetes service links).
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "daemon/config-internal.h"

#define PREFIX "EBPFOBS_"
#define VARIABLE_MAX (sizeof(PREFIX) + CONFIG_KEY_MAX)
#define SECTION_MAX 512 /* variables that a misspelt one is compared with */

static const struct {
	const char *variable, *key;
} aliases[] = {
	{ "PROFILING_LOG_LEVEL", "log.level" },
};

/* "collectors.flows.max_flows" -> "EBPFOBS_COLLECTORS_FLOWS_MAX_FLOWS" */
static void variable_of(const char *key, char buf[static VARIABLE_MAX])
{
	char *p = stpcpy(buf, PREFIX);

	for (; *key; key++)
		*p++ = *key == '.' ? '_' : (char)toupper((unsigned char)*key);
	*p = '\0';
}

/* The value of a variable, or NULL. */
static const char *find_variable(const char *const *environment, const char *name)
{
	size_t n = strlen(name);

	for (; *environment; environment++)
		if (strncmp(*environment, name, n) == 0 && (*environment)[n] == '=')
			return *environment + n + 1;
	return NULL;
}

struct pass {
	const char *const *environment;
	struct config_errors *errors;
	int r;
};

static int set_value(const struct pass *pass, const char *variable, const char *key,
		     const struct config_slot *slot)
{
	const char *value = find_variable(pass->environment, variable);
	char sentence[CONFIG_ERROR_LEN / 2], *origin;
	int r;

	if (!value || *value == '\0')
		return 0;
	r = option_set_text(slot->option, slot->values, value, sentence, sizeof(sentence));
	if (r == -EINVAL) {
		config_error(pass->errors, "%s: '%s': %s", variable, key, sentence);
		return 0;
	}
	if (r < 0)
		return r;
	origin = strdup(variable);
	if (!origin)
		return -ENOMEM;
	free(slot->origin->text);
	*slot->origin = (struct config_origin){ .text = origin };
	return 0;
}

static bool set_option(void *userdata, const char *key, const struct config_slot *slot)
{
	char variable[VARIABLE_MAX];
	struct pass *pass = userdata;

	variable_of(key, variable);
	pass->r = set_value(pass, variable, key, slot);
	return pass->r == 0;
}

static int set_aliases(const struct config *config, const struct pass *pass)
{
	struct config_slot slot;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(aliases) && r == 0; i++)
		if (config_find(config, aliases[i].key, &slot))
			r = set_value(pass, aliases[i].variable, aliases[i].key, &slot);
	return r;
}

/* The variables of one section. */
struct section {
	const char *name; /* a variable of it: "EBPFOBS_STORE_PAHT" */
	size_t length; /* of "EBPFOBS_STORE_" */
	size_t n;
	char *variables[SECTION_MAX];
};

static bool add_variable(void *userdata, const char *key, const struct config_slot *slot)
{
	struct section *s = userdata;
	char variable[VARIABLE_MAX];
	size_t length = strlen(PREFIX) + strcspn(key, ".") + 1; /* with the underscore */

	variable_of(key, variable);
	if (!strchr(key, '.') || strncmp(variable, s->name, length) != 0)
		return true;
	s->length = length;
	s->variables[s->n] = strdup(variable);
	return s->variables[s->n] && ++s->n < SECTION_MAX;
}

static const char *find_nearest(const struct section *s)
{
	/* Without what is the same in all of them, which would make any two look alike. */
	const char *tails[SECTION_MAX], *nearest;

	for (size_t i = 0; i < s->n; i++)
		tails[i] = s->variables[i] + s->length;
	nearest = text_nearest(s->name + s->length, tails, s->n);
	return nearest ? nearest - s->length : NULL;
}

static void check_known(const struct config *config, const char *variable,
			struct config_errors *errors)
{
	char name[VARIABLE_MAX];
	struct section section = { .name = name };
	bool known = false;
	const char *nearest;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(variable, "="), variable);
	config_each(config, add_variable, &section);
	for (size_t i = 0; i < section.n && !known; i++)
		known = streq(section.variables[i], name);
	if (section.n > 0 && !known) {
		nearest = find_nearest(&section);
		config_error(errors, "%.99s: no such key%s%s", name,
			     nearest ? "; did you mean " : "", nearest ? nearest : "");
	}
	for (size_t i = 0; i < section.n; i++)
		free(section.variables[i]);
}

int config_apply_environment(struct config *config, const char *const *environment,
			     struct config_errors *errors)
{
	struct pass pass = { environment, errors, 0 };
	int r = set_aliases(config, &pass);

	if (r < 0)
		return r;
	config_each(config, set_option, &pass);
	for (; *environment; environment++)
		if (has_prefix(*environment, PREFIX))
			check_known(config, *environment, errors);
	return pass.r;
}
