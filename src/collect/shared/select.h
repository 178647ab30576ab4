/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which interfaces and namespaces the user wants observed. */
#pragma once

#include <stdbool.h>

#include "base/option.h"
#include "host/netns.h"
#include "host/scope.h"

/* globs as for fnmatch(3): chosen if one matches, or if there are only excluding ones ("!GLOB") or
 * none, and no excluding one matches. */
bool select_interface(const struct option_list *globs, const char *name);

/* texts as for netns_matches(); see interfaces_config. Either may be NULL. */
bool select_netns(const struct option_list *texts, const struct scope *scope,
		  const struct netns_ref *ns);
bool select_in_scope(const struct scope *scope, uint64_t inode); /* scope may be NULL */
/* True if some other namespace than our own may be chosen. */
bool select_foreign(const struct option_list *texts, const struct scope *scope);
/* True if any namespace may be chosen ("all"), so that one that cannot be looked at is missed. */
bool select_all(const struct option_list *texts, const struct scope *scope);
