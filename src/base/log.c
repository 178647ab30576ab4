/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A message is formatted once, control characters and bytes that are not UTF-8 are escaped (they
 * come from strangers: names, paths, answers), and it leaves in one write(2) or one datagram, so
 * that lines of several threads never mix and no lock is needed.
 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The journal would note our caller's file and line as those of this one. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/text.h"
#include "base/util.h"

#define MESSAGE_MAX 2048 /* bytes of one message; the rest is cut off */
/* Of a message that is escaped for a terminal, JSON doubles backslashes and quotes, no more. */
#define JSON_MAX (2 * MESSAGE_MAX)
#define LINE_BYTES (JSON_MAX + 256)

static enum log_format log_format = LOG_FORMAT_TEXT;
static int log_level = LOG_INFO;
static bool log_colour;

static const char *const level_names[] = {
	[LOG_EMERG] = "emergency", [LOG_ALERT] = "alert",     [LOG_CRIT] = "critical",
	[LOG_ERR] = "error",	   [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
	[LOG_INFO] = "info",	   [LOG_DEBUG] = "debug",
};

/* systemd sets JOURNAL_STREAM to "device:inode" of the stream it connected (systemd.exec(5)); a
 * child whose stderr went elsewhere inherits the variable but not the stream. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return streq(stream, ours);
}

/* sd_journal_sendv() says nothing when there is no journal. */
static bool journal_exists(void)
{
	return access("/run/systemd/journal/socket", F_OK) == 0;
}

static enum log_format choose_format(enum log_format wanted)
{
	if (wanted == LOG_FORMAT_TEXT || wanted == LOG_FORMAT_JSON)
		return wanted;
	if (journal_exists() && (wanted == LOG_FORMAT_JOURNAL || stderr_is_journal()))
		return LOG_FORMAT_JOURNAL;
	return isatty(STDERR_FILENO) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
}

void log_init(enum log_format format, int level)
{
	const char *term = getenv("TERM");

	__atomic_store_n(&log_format, choose_format(format), __ATOMIC_RELAXED);
	__atomic_store_n(&log_level, level, __ATOMIC_RELAXED);
	__atomic_store_n(&log_colour,
			 isatty(STDERR_FILENO) && !getenv("NO_COLOR") && term &&
				 !streq(term, "dumb"),
			 __ATOMIC_RELAXED);
}

int log_enabled(int level)
{
	return level <= __atomic_load_n(&log_level, __ATOMIC_RELAXED);
}

static void write_journal(int level, const char *component, int error, const char *message)
{
	char text[MESSAGE_MAX + 16], priority[16], from[80], number[24];
	struct iovec fields[] = {
		{ text, (size_t)snprintf(text, sizeof(text), "MESSAGE=%s", message) },
		{ priority, (size_t)sprintf(priority, "PRIORITY=%d", level) },
		{ from,
		  (size_t)snprintf(from, sizeof(from), "EBPFOBS_COMPONENT=%.60s", component) },
		{ number, (size_t)sprintf(number, "ERRNO=%d", error) },
	};

	sd_journal_sendv(fields, error ? 4 : 3);
}

static int format_json(int level, const char *component, int error, const char *message, char *line)
{
	struct timespec now;
	struct tm utc;
	char time[32], number[24] = "", text[JSON_MAX];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", &utc);
	text_escape(TEXT_JSON, message, text, sizeof(text));
	if (error)
		sprintf(number, ",\"errno\":%d", error);
	return snprintf(line, LINE_BYTES,
			"{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"component\":\"%.60s\","
			"\"message\":\"%s\"%s}\n",
			time, now.tv_nsec / 1000000, level_names[level], component, text, number);
}

static int format_text(int level, const char *component, const char *message, char *line)
{
	const char *colour = "", *plain = "";
	time_t now = time(NULL);
	struct tm local;
	char time[16];

	localtime_r(&now, &local);
	strftime(time, sizeof(time), "%H:%M:%S", &local);
	if (__atomic_load_n(&log_colour, __ATOMIC_RELAXED)) {
		colour = level <= LOG_ERR	? "\033[31m"
			 : level == LOG_WARNING ? "\033[33m"
			 : level == LOG_DEBUG	? "\033[2m"
						: "";
		plain = *colour ? "\033[0m" : "";
	}
	return snprintf(line, LINE_BYTES, "%s %s%s%s %.60s: %s\n", time, colour, level_names[level],
			plain, component, message);
}

static void write_stderr(int level, const char *component, int error, const char *message,
			 enum log_format format)
{
	char line[LINE_BYTES];
	int n = format == LOG_FORMAT_JSON ? format_json(level, component, error, message, line)
					  : format_text(level, component, message, line);

	/* Nobody is left to tell when stderr itself fails. */
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

int log_write(int level, const char *component, int error, const char *format, ...)
{
	enum log_format target = __atomic_load_n(&log_format, __ATOMIC_RELAXED);
	char raw[MESSAGE_MAX], message[MESSAGE_MAX];
	int saved = errno;
	va_list args;

	error = abs(error);
	if (!log_enabled(level))
		return -error;
	errno = error ? error : saved; /* %m */
	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	text_escape(TEXT_TERMINAL, raw, message, sizeof(message));
	if (target == LOG_FORMAT_JOURNAL)
		write_journal(level, component, error, message);
	else
		write_stderr(level, component, error, message, target);
	errno = saved;
	return -error;
}

int log_limit_pass(struct log_limit *limit, uint64_t interval_ns, unsigned burst)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	unsigned held = 0;
	bool pass;

	pthread_mutex_lock(&lock);
	if (limit->window_start_ns == 0 || now - limit->window_start_ns >= interval_ns) {
		held = limit->held;
		*limit = (struct log_limit){ .window_start_ns = now };
	}
	pass = limit->written < burst;
	if (pass)
		limit->written++;
	else
		limit->held++;
	pthread_mutex_unlock(&lock);
	if (held > 0)
		log_write(LOG_WARNING, "log", 0, "%u messages like the next one were held back",
			  held);
	return pass;
}
