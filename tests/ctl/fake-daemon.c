/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-daemon SOCKET [ROWS [RELOAD-ERROR]]: serves the control protocol with fixed answers, for the
 * tests of ebpfobsctl. Says "ready" when it does; ends with SIGTERM, and with its parent.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "tests/unit/control/fake.h"

int main(int argc, char **argv)
{
	struct control *control;
	struct fake fake;
	sd_event *event;
	int r;

	if (argc < 2 || sd_event_new(&event) < 0)
		return EXIT_FAILURE;
	fake_init(&fake, event);
	fake.rows = argc > 2 ? strtoul(argv[2], NULL, 10) : 3;
	fake.reload_error = argc > 3 ? argv[3] : NULL;
	r = control_new(event, -1, argv[1], NULL, &fake_ops, &fake, &control);
	if (r < 0) {
		fprintf(stderr, "control_new: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sd_event_add_signal(event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL);
	puts("ready");
	fflush(stdout);
	r = sd_event_loop(event);
	control_free(control);
	fake_done(&fake);
	sd_event_unref(event);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
