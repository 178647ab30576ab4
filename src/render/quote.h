/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strangers' text within JSON and XML. In both, what moves a cursor or turns the reading direction around
 * is spelled out as on a terminal ("\x1b", "\u202e") where visible is true: there text is for the eye.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* A JSON string, with its quotes. "<" is escaped, too, so that it can stand in a <script> of HTML. */
void quote_json(const char *text, bool visible, FILE *out);
/* Content or attribute value of XML 1.0 and HTML, without quotes around it; always visible, because XML
 * has no way to write most control characters. */
void quote_xml(const char *text, FILE *out);
