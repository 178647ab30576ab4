/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logging for the edge rooms and the daemon; base, model, decode and store never log.
 * One target for the process, chosen by log_init(): the journal with structured fields under
 * systemd, text on a terminal, one JSON object a line in a container. Thread-safe.
 *
 * What is logged is a sentence: what failed, why, what the user can do. Never payloads.
 */
#pragma once

#include <stdint.h>
#include <syslog.h>

enum log_format {
	LOG_FORMAT_AUTO, /* journal if stderr is the journal, text on a terminal, else JSON */
	LOG_FORMAT_JOURNAL,
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
};

/* Sets target and level (LOG_ERR ... LOG_DEBUG). May be called again, at reload. */
void log_init(enum log_format format, int level);

/* True if a message of level would be written. */
int log_enabled(int level);

/*
 * Writes a message. error is 0 or an errno (either sign), for %m and the ERRNO= field; component
 * becomes the field EBPFOBS_COMPONENT= ("flows", "store", ...). Returns -|error|, so that a caller
 * can "return log_...". Use the macros.
 */
int log_write(int level, const char *component, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Each file that logs defines LOG_COMPONENT before including this header. */
#ifndef LOG_COMPONENT
#define LOG_COMPONENT "daemon"
#endif

#define log_error(...) ((void)log_write(LOG_ERR, LOG_COMPONENT, 0, __VA_ARGS__))
#define log_warning(...) ((void)log_write(LOG_WARNING, LOG_COMPONENT, 0, __VA_ARGS__))
#define log_notice(...) ((void)log_write(LOG_NOTICE, LOG_COMPONENT, 0, __VA_ARGS__))
#define log_info(...) ((void)log_write(LOG_INFO, LOG_COMPONENT, 0, __VA_ARGS__))
#define log_debug(...) ((void)log_write(LOG_DEBUG, LOG_COMPONENT, 0, __VA_ARGS__))
#define log_error_errno(r, ...) log_write(LOG_ERR, LOG_COMPONENT, r, __VA_ARGS__)
#define log_warning_errno(r, ...) log_write(LOG_WARNING, LOG_COMPONENT, r, __VA_ARGS__)
#define log_debug_errno(r, ...) log_write(LOG_DEBUG, LOG_COMPONENT, r, __VA_ARGS__)

/* At most burst messages per interval at one place in the code; the next one says how many were
 * held back. */
struct log_limit {
	uint64_t window_start_ns;
	unsigned written, held;
};
/* True if the message may be written now. */
int log_limit_pass(struct log_limit *limit, uint64_t interval_ns, unsigned burst);

#define log_warning_limited(...)                                       \
	do {                                                           \
		static struct log_limit limit_;                        \
		if (log_limit_pass(&limit_, UINT64_C(10000000000), 5)) \
			log_warning(__VA_ARGS__);                      \
	} while (0)
