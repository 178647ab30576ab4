/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Output goes to memory and is written when a round is over: a pager that stops reading holds up
 * us and not the daemon, and a screen is redrawn at once.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "ctl/ctl.h"
#include "ctl/verb.h"

/* Home, each line cleared to its end, the rest of the screen cleared: no flicker. */
static void write_screen(const char *text)
{
	fputs("\033[H", stdout);
	for (const char *end; (end = strchr(text, '\n')); text = end + 1)
		printf("%.*s\033[K\n", (int)(end - text), text);
	printf("%s\033[J", text);
}

static int write_output(const struct ctl *ctl, const char *text, size_t size)
{
	if (ctl->watch && ctl->height > 0 && ctl->format == CTL_TABLE)
		write_screen(text);
	else
		fwrite(text, size, 1, stdout);
	if (fflush(stdout) != 0)
		return ctl_fail(EXIT_FAILED, "The output cannot be written: %m.");
	return EXIT_OK;
}

static int run_once(struct ctl *ctl, const struct verb_ops *verb, int argc, char **argv)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int status;

	ctl->out = open_memstream(&text, &size);
	if (!ctl->out)
		return ctl_no_memory();
	status = verb->run(ctl, argc, argv);
	if (status == EXIT_OK && ctl->csv)
		csv_print(ctl->csv, ctl->out);
	if (fclose(ctl->out) != 0)
		return ctl_no_memory();
	return status == EXIT_OK ? write_output(ctl, text, size) : status;
}

static void wait_seconds(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

int ctl_run(struct ctl *ctl, const struct verb_ops *verb, int argc, char **argv)
{
	int status;

	if (ctl->format == CTL_CSV && csv_new(&ctl->csv) < 0)
		return ctl_no_memory();
	if (ctl->watch && ctl->height > 0 && ctl->format == CTL_TABLE)
		fputs("\033[2J", stdout);
	status = run_once(ctl, verb, argc, argv);
	while (status == EXIT_OK && ctl->watch) {
		wait_seconds(ctl->watch_seconds);
		status = run_once(ctl, verb, argc, argv);
	}
	ctl->csv = csv_free(ctl->csv);
	return status;
}

int ctl_print_object(struct ctl *ctl, struct json_object *answer)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
		    (ctl->watch ? JSON_C_TO_STRING_SPACED
				: JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);

	if (ctl->csv)
		return csv_add(ctl->csv, answer) < 0 ? ctl_no_memory() : EXIT_OK;
	fprintf(ctl->out, "%s\n", json_object_to_json_string_ext(answer, flags));
	return EXIT_OK;
}
