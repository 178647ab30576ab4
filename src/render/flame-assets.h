/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fixed parts of the page, which build-aux/embed makes of flame.html, flame.css and flame.js. */
#pragma once

#include <stddef.h>

extern const unsigned char flame_html[], flame_css[], flame_js[];
extern const size_t flame_html_size, flame_css_size, flame_js_size;
/* "sha256-..." */
extern const char flame_html_hash[], flame_css_hash[], flame_js_hash[];
