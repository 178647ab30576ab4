/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Flame graphs: the width of a frame is its share, what it calls stands next to it. Of two profiles the
 * width is the sum of both and the colour says which has more of it, so that what vanished is still seen.
 */
#pragma once

#include <stdio.h>

#include "model/profile-tree.h"

/* Nodes in a page; of a larger tree the lightest are left out, and the page says how many. */
#define FLAME_NODES_MAX 400000

/*
 * One HTML file that needs no other and lets nothing else in (Content-Security-Policy): zoom, search,
 * both directions, mouse and keyboard, light and dark. title: what the profile is of, strangers' text.
 * 0 or -ENOMEM.
 */
int flame_html_write(const struct profile_tree *tree, const char *title, FILE *out);

/* A picture without a script, width pixels wide, with a title on each frame. Frames narrower than a
 * third of a pixel are left out. 0 or -ENOMEM. */
int flame_svg_write(const struct profile_tree *tree, const char *title, unsigned width, FILE *out);
