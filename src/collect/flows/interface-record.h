/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an interface and what its programs counted in a step to a record. */
#pragma once

#include <stdbool.h>

#include "bpf/wire/flows.h"
#include "collect/shared/interfaces.h"
#include "model/record.h"

struct before_attach {
	bool told; /* it is in a record */
	struct flow_count early[TC_DIRECTIONS]; /* counted in steps before that */
};

/* added is what this step counted. False: there is nothing to tell, an interface is shown once it is
 * attached, or when something came through before that. */
bool record_from_interface(const struct interface *interface,
			   const struct wire_interface_count *added, struct before_attach *before,
			   struct record *ret);
