/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user's lists of interfaces and namespaces, applied to one at a time. */
#include "collect/shared/select.h"

#include <fnmatch.h>

#include "base/util.h"

bool select_interface(const struct option_list *globs, const char *name)
{
	bool chosen = false, any_including = false;

	for (size_t i = 0; globs && i < globs->n; i++) {
		const char *glob = globs->values[i];

		if (glob[0] == '!') {
			if (fnmatch(glob + 1, name, 0) == 0)
				return false;
			continue;
		}
		any_including = true;
		chosen |= fnmatch(glob, name, 0) == 0;
	}
	return chosen || !any_including;
}

bool select_in_scope(const struct scope *scope, uint64_t inode)
{
	for (size_t i = 0; scope && i < scope->n_netns; i++)
		if (scope->netns[i] == inode)
			return true;
	return false;
}

bool select_netns(const struct option_list *texts, const struct scope *scope,
		  const struct netns_ref *ns)
{
	bool scoped = scope && scope->n_netns > 0;

	if (scoped && !select_in_scope(scope, ns->inode))
		return false;
	if (!texts || texts->n == 0)
		return scoped || netns_matches(ns, "default");
	for (size_t i = 0; i < texts->n; i++)
		if (netns_matches(ns, texts->values[i]))
			return true;
	return false;
}

bool select_foreign(const struct option_list *texts, const struct scope *scope)
{
	for (size_t i = 0; texts && i < texts->n; i++)
		if (!streq(texts->values[i], "default"))
			return true;
	return scope && scope->n_netns > 0;
}

bool select_all(const struct option_list *texts, const struct scope *scope)
{
	if (scope && scope->n_netns > 0)
		return false;
	for (size_t i = 0; texts && i < texts->n; i++)
		if (streq(texts->values[i], "all"))
			return true;
	return false;
}
