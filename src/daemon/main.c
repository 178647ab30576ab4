/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ebpfobsd: the command line. The work begins in daemon/manager.c. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/manager.h"

enum action {
	ACTION_RUN,
	ACTION_CHECK_CONFIG,
	ACTION_CLEANUP,
	ACTION_DONE, /* --help, --version */
};

#define EXIT_USAGE 2

static const char help[] =
	"ebpfobsd: eBPF observability daemon\n"
	"\n"
	"usage: ebpfobsd [OPTION...]\n"
	"\n"
	"  --config FILE      configuration (default: " SYSCONFDIR "/ebpfobs/ebpfobsd.yaml)\n"
	"  --socket PATH      control socket (default: " RUNSTATEDIR "/ebpfobs/ebpfobsd.sock)\n"
	"  --state-dir DIR    history (default: store.path of the configuration)\n"
	"  --runtime-dir DIR  what must be found again after a crash (default: " RUNSTATEDIR
	"/ebpfobs)\n"
	"  --check-config     say what is wrong with the configuration, and exit\n"
	"  --cleanup          remove from the kernel what a crash left behind, and exit\n"
	"  --version          print the version, and exit\n"
	"  --help             print this, and exit\n"
	"\n"
	"See ebpfobsd(8), ebpfobsd.yaml(5), ebpfobsctl(1).\n";

/* 0, or -EINVAL when the usage was said on stderr. */
static int parse_arguments(int argc, char **argv, struct manager_arguments *args,
			   enum action *action)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "socket", required_argument, NULL, 's' },
		{ "state-dir", required_argument, NULL, 'd' },
		{ "runtime-dir", required_argument, NULL, 'r' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "cleanup", no_argument, NULL, 'x' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			args->config_path = optarg;
			break;
		case 's':
			args->socket_path = optarg;
			break;
		case 'd':
			args->state_dir = optarg;
			break;
		case 'r':
			args->runtime_dir = optarg;
			break;
		case 'k':
			*action = ACTION_CHECK_CONFIG;
			break;
		case 'x':
			*action = ACTION_CLEANUP;
			break;
		case 'v':
			puts("ebpfobsd " EBPFOBS_VERSION);
			*action = ACTION_DONE;
			return 0;
		case 'h':
			fputs(help, stdout);
			*action = ACTION_DONE;
			return 0;
		default:
			return -EINVAL; /* getopt said it */
		}
	}
	if (optind < argc) {
		fprintf(stderr, "ebpfobsd: unexpected argument '%s'; see --help\n", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

static int run(const struct manager_arguments *args)
{
	struct manager *manager;
	int r;

	r = manager_new(args, &manager);
	if (r < 0)
		return EXIT_FAILURE;
	r = manager_run(manager);
	manager_free(manager);
	log_info("stopped");
	return r < 0 ? EXIT_FAILURE : r;
}

int main(int argc, char **argv)
{
	struct manager_arguments args = {
		.socket_path = RUNSTATEDIR "/ebpfobs/ebpfobsd.sock",
	};
	_cleanup_free_ char *below_state = NULL;
	enum action action = ACTION_RUN;

	/* A fixed threshold: buffers of a step go back to the system when they are freed. By itself
	 * malloc raises it after the first large one. */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	/* One heap: what a worker frees the next one uses. */
	mallopt(M_ARENA_MAX, 1);
	if (child_is_asked_for(argc, argv))
		return child_main(argv, child_registry);
	log_init(LOG_FORMAT_AUTO, LOG_INFO);
	if (parse_arguments(argc, argv, &args, &action) < 0)
		return EXIT_USAGE;
	/* Two daemons with state directories of their own must not take each other's filters for
	 * leftovers. */
	if (!args.runtime_dir && args.state_dir &&
	    asprintf(&below_state, "%s/run", args.state_dir) > 0)
		args.runtime_dir = below_state;
	if (!args.runtime_dir)
		args.runtime_dir = getenv("RUNTIME_DIRECTORY") ?: RUNSTATEDIR "/ebpfobs";
	switch (action) {
	case ACTION_CHECK_CONFIG:
		return manager_check_config(&args) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	case ACTION_CLEANUP:
		return manager_cleanup(&args) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	case ACTION_RUN:
		return run(&args);
	case ACTION_DONE:
		break;
	}
	return EXIT_SUCCESS;
}
