/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the daemon's answer (io.ebpfobs.Profile) to a profile with names. */
#pragma once

#include "ctl/ctl.h"
#include "model/profile.h"

/* Asks for what the options want; *ret is the caller's. Returns an exit status. */
int profile_read(struct ctl *ctl, struct profile **ret);
