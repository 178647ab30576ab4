/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records as the JSON that DESIGN section 5 promises. null = not known. NULL: no memory. */
#pragma once

#include <json-c/json.h>

#include "model/record.h"

struct json_object *control_flow_json(const struct flow *flow);
struct json_object *control_interface_json(const struct flow_interface *interface);
/* One of the list "untracked_by". */
struct json_object *control_untracked_json(const struct flow_untracked *untracked);
/* {"tx", "rx"} */
struct json_object *control_counts_json(const struct flow_count *tx, const struct flow_count *rx);
