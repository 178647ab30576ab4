/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file format of speedscope (its file-format-schema.json), type "sampled": one profile, or of two
 * "now" and "before", whose frames are the same.
 */
#pragma once

#include <stdio.h>

#include "model/profile-tree.h"

/* title: strangers' text. 0 or -ENOMEM. */
int speedscope_write(const struct profile_tree *tree, const char *title, FILE *out);
