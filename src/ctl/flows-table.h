/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flows for people. */
#pragma once

#include "ctl/ctl.h"

/* rows: the flows; last: the last reply, with what is no flow. Returns an exit status. */
int flows_print_table(struct ctl *ctl, struct json_object *rows, struct json_object *last);
