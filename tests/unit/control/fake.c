/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything comes from the loop, in pieces, as the real store does it. */
#include "fake.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/util.h"

#define PIECE 256

static struct fake *the_fake;

static int fake_status(void *userdata, struct json_object **ret)
{
	static const char text[] =
		"{\"version\":\"1.0\",\"uptime_s\":93784,\"collectors\":["
		"{\"name\":\"flows\",\"state\":\"degraded\",\"rung\":\"tcx + tp_btf\","
		"\"reason\":\"drops: this kernel has no reasons for them; it needs 5.17\"},"
		"{\"name\":\"profile\",\"state\":\"off\",\"rung\":\"\","
		"\"reason\":\"profile.enabled is false\"}],"
		"\"exporters\":[{\"name\":\"prometheus\",\"state\":\"on\",\"reason\":\"\"}],"
		"\"accounting\":{\"flows\":{\"seen\":1000,\"delivered\":900,\"filtered\":90,"
		"\"dropped\":10}},"
		"\"loss\":{\"flows.map_full\":10,\"store.disk_full\":0},"
		"\"store\":{\"name\":\"store\",\"state\":\"degraded\",\"reason\":\"the disk is "
		"full\","
		"\"disk_bytes\":1048576,\"oldest_ns\":1763634938000000000},"
		"\"self\":{\"limit_bytes\":67108864,\"anon_bytes\":9437184,\"bpf_bytes\":4194304,"
		"\"rss_bytes\":15728640,"
		"\"cpu_seconds\":12.5}}";

	return json_parse(text, strlen(text), sizeof(text), ret);
}

static int fake_config(void *userdata, struct json_object **ret)
{
	static const char text[] =
		"{\"files\":[\"/etc/e.yaml\"],\"options\":["
		"{\"key\":\"log.level\",\"value\":\"info\",\"source\":\"default\"},"
		"{\"key\":\"collectors.flows.protocols\",\"value\":[\"tcp\",\"udp\"],"
		"\"source\":\"/etc/e.yaml:3\"}]}";

	return json_parse(text, strlen(text), sizeof(text), ret);
}

static int fake_reload(void *userdata, void (*done)(void *cookie, int r, const char *error),
		       void *cookie)
{
	struct fake *fake = userdata;

	if (fake->hold_reload) {
		fake->reload_done = done;
		fake->reload_cookie = cookie;
	} else {
		done(cookie, fake->reload_error ? -EINVAL : 0, fake->reload_error);
	}
	return 0;
}

static int fake_doctor(void *userdata, pid_t pid, bool maps, struct json_object **ret)
{
	static const char without_pid[] =
		"{\"kernel\":\"6.1.0\",\"checks\":["
		"{\"name\":\"BTF\",\"state\":\"ok\",\"meaning\":\"all programs need it\"},"
		"{\"name\":\"tracefs\",\"state\":\"missing\",\"meaning\":\"mount it\"}]}";
	static const char with_pid[] =
		"{\"kernel\":\"6.1.0\",\"checks\":[],\"process\":{\"pid\":7,\"comm\":\"nginx\","
		"\"verdict\":\"it is out of scope\"},"
		"\"maps\":[{\"id\":3,\"name\":\"flows\",\"type\":\"hash\",\"max_entries\":100}]}";
	const char *text = pid ? with_pid : without_pid;
	struct fake *fake = userdata;

	fake->doctor_pid = pid;
	fake->doctor_maps = maps;
	return json_parse(text, strlen(text), sizeof(with_pid), ret);
}

static int fake_flush(void *userdata, void (*done)(void *cookie, int r), void *cookie)
{
	struct fake *fake = userdata;

	fake->flushed++;
	if (fake->hold_flush) {
		fake->flush_done = done;
		fake->flush_cookie = cookie;
	} else {
		done(cookie, 0);
	}
	return 0;
}

static void fake_losses(void *userdata, void (*fn)(void *cookie, const struct loss *loss),
			void *cookie)
{
	fn(cookie, &(struct loss){ "flows.map_full", 10 });
	fn(cookie, &(struct loss){ "store.disk_full", 0 });
}

const struct control_ops fake_ops = {
	.status = fake_status,
	.config = fake_config,
	.reload = fake_reload,
	.doctor = fake_doctor,
	.flush = fake_flush,
	.losses = fake_losses,
};

static void set_count(struct flow_count *count, uint64_t bytes)
{
	*count = (struct flow_count){ .skbs = bytes / 1000 + 1,
				      .bytes = bytes,
				      .packets = bytes / 500 + 1,
				      .bytes_wire = bytes + 54 };
}

static void set_name(struct workload *w, enum workload_kind kind, const char *name,
		     const char *namespace_)
{
	*w = (struct workload){ .kind = kind, .id = name, .name = name, .namespace_ = namespace_ };
}

void fake_flow(size_t i, struct flow *ret)
{
	char address[IP_ADDRESS_STRLEN];

	*ret = (struct flow){
		.netns = 4026531840,
		.role = i % 2 ? FLOW_ROLE_VETH : FLOW_ROLE_WIRE,
		.protocol = i % 5 == 4 ? IPPROTO_UDP : IPPROTO_TCP,
		.side = i % 3 == 2 ? FLOW_SIDE_CLIENT : FLOW_SIDE_SERVER,
		.unowned = i % 7 == 6 ? FLOW_UNOWNED_TIME_WAIT : FLOW_OWNED,
	};
	ip_parse("192.168.1.10", &ret->local.address);
	ret->local.port = 443;
	snprintf(address, sizeof(address), "203.0.%zu.%zu", i / 250 % 250, i % 250 + 1);
	ip_parse(address, &ret->peer.address);
	ret->peer.port = (uint16_t)(40000 + i % 20000);
	ret->peer.external = true;
	if (ret->unowned == FLOW_OWNED) {
		ret->local.process.pid = 812;
		strcpy(ret->local.process.comm, "nginx");
		set_name(&ret->local.workload, WORKLOAD_UNIT, "nginx.service", "");
	}
	set_count(&ret->tx, UINT64_C(50000000) / (i + 1));
	set_count(&ret->rx, UINT64_C(1000000) / (i + 1));
	if (ret->protocol == IPPROTO_TCP)
		ret->tcp = (struct flow_tcp){ .rtt_us = 1500,
					      .retransmits = (uint32_t)i,
					      .flags = 0x12,
					      .state = TCP_STATE_ESTABLISHED };
	if (i == 1) {
		ret->n_drops = 1;
		ret->drops[0] = (struct flow_drops){ "NO_SOCKET", 3 };
	}
}

static void send_rest(struct fake *fake)
{
	struct record record = { .kind = RECORD_UNTRACKED };

	record.untracked = (struct flow_untracked){ .netns = 4026531840,
						    .role = FLOW_ROLE_WIRE,
						    .reason = UNTRACKED_NOT_IP };
	set_count(&record.untracked.rx, 4200);
	fake->row(fake->userdata, &record);
	record.untracked.reason = UNTRACKED_MAP_FULL;
	fake->row(fake->userdata, &record);
	record.kind = RECORD_INTERFACE;
	record.interface = (struct flow_interface){ .netns = 4026531840,
						    .ifindex = 2,
						    .name = "eth0",
						    .role = FLOW_ROLE_WIRE,
						    .exact = true };
	set_count(&record.interface.counted_tx, 12345);
	for (size_t i = 0; i < fake->interfaces; i++)
		fake->row(fake->userdata, &record);
	fake->userdata = NULL;
}

static int on_piece(sd_event_source *source, void *userdata)
{
	struct fake *fake = userdata;
	struct record record = { .kind = RECORD_FLOW };
	size_t limit = fake->query.limit ? MIN(fake->query.limit, fake->rows) : fake->rows;
	struct store_summary summary = {
		.exact = true,
		.covered_since_ns = fake->query.range.since_ns,
		.covered_until_ns = fake->query.range.until_ns,
		.rows = limit,
		.rows_left_out = fake->rows - limit,
	};
	void *asker = fake->userdata;

	for (size_t i = 0; i < PIECE && fake->next < limit && !fake->paused; i++) {
		fake_flow(fake->next++, &record.flow);
		fake->row(asker, &record);
	}
	if (fake->paused || fake->next < limit) {
		sd_event_source_set_enabled(source, fake->paused ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
		return 0;
	}
	send_rest(fake);
	fake->end(asker, 0, &summary);
	return 0;
}

int store_query(struct store *store, struct store_query *query, store_record_fn row,
		void (*end)(void *userdata, int r, const struct store_summary *summary),
		void *userdata, struct store_cursor **ret)
{
	struct fake *fake = the_fake;

	if (fake->userdata)
		return -EBUSY;
	filter_done(&fake->filter);
	fake->filter = query->filter;
	fake->query = *query;
	query->filter = (struct filter){};
	fake->row = row;
	fake->end = end;
	fake->userdata = userdata;
	fake->next = 0;
	fake->paused = false;
	sd_event_source_set_enabled(fake->source, SD_EVENT_ONESHOT);
	*ret = (struct store_cursor *)fake;
	return 0;
}

void store_query_pause(struct store_cursor *cursor, bool pause)
{
	struct fake *fake = (struct fake *)cursor;

	fake->paused = pause;
	if (!pause)
		sd_event_source_set_enabled(fake->source, SD_EVENT_ONESHOT);
}

void store_query_cancel(struct store_cursor *cursor)
{
	struct fake *fake = (struct fake *)cursor;

	fake->cancelled++;
	fake->userdata = NULL;
	sd_event_source_set_enabled(fake->source, SD_EVENT_OFF);
}

void fake_init(struct fake *fake, sd_event *event)
{
	*fake = (struct fake){ .event = event, .rows = 3, .interfaces = 1 };
	sd_event_add_defer(event, &fake->source, on_piece, fake);
	sd_event_source_set_enabled(fake->source, SD_EVENT_OFF);
	the_fake = fake;
}

void fake_done(struct fake *fake)
{
	filter_done(&fake->filter);
	sd_event_source_disable_unref(fake->source);
}
