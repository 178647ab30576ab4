/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP sockets that listen: "ADDRESS:PORT" of the configuration to a descriptor. */
#pragma once

#include <stddef.h>

/* 0 if address is "" (off) or "ADDRESS:PORT": "127.0.0.1:9909", "[::1]:9909", ":9909" (all
 * addresses). Names are refused: looking one up would block. -EINVAL with a sentence in error. */
int listen_check(const char *address, char *error, size_t size);

/* A listening socket that does not block, the caller's. Errors: -EINVAL (no such address), -ENOMEM,
 * those of bind(2). */
int listen_open(const char *address);

/* The sentence for an error of listen_open(): what, why, what to do. */
void listen_explain(const char *address, int r, char *error, size_t size);
