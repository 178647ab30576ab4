/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is kept with a socket (SK_STORAGE). */
#pragma once

#include "types.h"

#include "flows.h"

/*
 * Cloned with its socket when a listener accepts a connection (BPF_F_CLONE). That is how an
 * accepted socket is known: the cookie is then not its own.
 */
struct wire_socket {
	struct wire_owner owner;
	__u64 cookie; /* of the socket that this was written for; 0: not told apart */
	__u32 retransmits; /* those already counted in a flow */
	__u8 bound; /* 1: bind() to a port was called */
	__u8 unused[3];
};
_Static_assert(sizeof(struct wire_socket) == 48, "wire_socket");

/*
 * The process that accept() gave a socket to, or that held it before we came, where the hook that
 * sees it cannot reach SK_STORAGE. Keyed by the
 * address of the struct sock; the ports tell it from a later socket at that address.
 */
struct wire_claim {
	struct wire_owner owner;
	__u16 local_port, peer_port; /* host order */
	__u8 bound;
	__u8 unused[3];
};
_Static_assert(sizeof(struct wire_claim) == 40, "wire_claim");

/* A port that somebody listens on; filled by the first pass over existing sockets. */
struct wire_listener {
	__u32 netns; /* inode */
	__u32 port; /* host order */
};
_Static_assert(sizeof(struct wire_listener) == 8, "wire_listener");

enum wire_socket_loss {
	WIRE_SOCKET_NO_MEMORY, /* the kernel made no entry: nobody is known to own the socket */
	WIRE_SOCKET_CLAIMS, /* no claim could be left */
	WIRE_SOCKET_LISTENERS, /* a listener found no room: what it accepted looks like a client */
	WIRE_SOCKET_LOSSES,
};
