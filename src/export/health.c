/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /health: the loop runs, for a liveness probe. /ready: every collector has started, for a
 * readiness probe; until then 503 and what is missing. Not an exporter of data, but it too is
 * "out, over HTTP", and so it needs nothing of its own in the daemon.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "export/export.h"
#include "export/http.h"
#include "export/listen.h"

struct health_options {
	char *listen;
};

struct exporter {
	const struct export_env *env;
	struct http *http; /* NULL: the configuration turns it off */
};

static int answer_text(struct http_response *response, unsigned status, const char *text)
{
	response->status = status;
	response->content_type = "text/plain; charset=utf-8";
	return asprintf(&response->text, "%s\n", text) < 0 ? -ENOMEM : 0;
}

static int answer_health(void *userdata, const struct http_request *request,
			 struct http_response *response)
{
	(void)userdata;
	(void)request;
	return answer_text(response, 200, "ok");
}

static int answer_ready(void *userdata, const struct http_request *request,
			struct http_response *response)
{
	const struct exporter *e = userdata;
	char reason[PART_REASON_LEN] = "starting";

	(void)request;
	if (e->env->ready(e->env->userdata, reason, sizeof(reason)))
		return answer_text(response, 200, "ready");
	return answer_text(response, 503, reason);
}

static const struct http_route routes[] = {
	{ "/health", "200 while the daemon runs", answer_health },
	{ "/ready", "200 once every collector has started, 503 and the reason before",
	  answer_ready },
	{ 0 },
};

static void health_stop(struct exporter *e)
{
	if (!e)
		return;
	http_free(e->http);
	free(e);
}

static int health_start(const struct export_env *env, const void *values, struct exporter **ret)
{
	const struct health_options *options = values;
	struct exporter *e = calloc(1, sizeof(*e));
	int r = 0;

	if (!e)
		return -ENOMEM;
	e->env = env;
	/* A port that cannot be had costs this endpoint only: status() says why. */
	if (options->listen[0] != '\0')
		r = http_new(env->event, options->listen, routes, e, &e->http);
	if (r < 0) {
		health_stop(e);
		return r;
	}
	*ret = e;
	return 0;
}

static void health_status(const struct exporter *e, struct part_status *ret)
{
	*ret = (struct part_status){ .name = "health", .state = PART_ON };
	if (!e->http)
		part_switch_off(ret, "health.listen is empty");
	else if (http_error(e->http))
		part_degrade(ret, PART_OFF, "health.listen: %s", http_error(e->http));
}

static void health_losses(const struct exporter *e,
			  void (*fn)(void *userdata, const struct loss *loss), void *userdata)
{
	const struct loss loss = { "health.refused", e->http ? http_refused(e->http) : 0 };

	fn(userdata, &loss);
}

static const struct option options[] = {
	{ "listen", OPTION_STRING, offsetof(struct health_options, listen),
	  .value = "127.0.0.1:13133",
	  .help = "address and port of /health and /ready; empty turns it off",
	  .check = listen_check },
	{ NULL },
};

static const struct option_group options_group = {
	.prefix = "health",
	.size = sizeof(struct health_options),
	.options = options,
};

const struct export_ops export_health = {
	.name = "health",
	.options = &options_group,
	.start = health_start,
	.stop = health_stop,
	.status = health_status,
	.losses = health_losses,
};
