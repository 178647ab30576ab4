/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths of cgroups as real machines have them, and as somebody might make them to deceive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/util.h"
#include "host/cgroup-class.h"

#define A16 "0123456789abcdef"
#define ID A16 A16 A16 A16
#define ID2 "f123456789abcdef" A16 A16 A16
#define SHORT "0123456789ab"
#define UID "8f3f1c3a-6c1e-4c38-9c1b-0d8a7b6c5d4e"
#define UID_ "8f3f1c3a_6c1e_4c38_9c1b_0d8a7b6c5d4e"
#define UID2 "11111111-6c1e-4c38-9c1b-0d8a7b6c5d4e"
#define USER "/user.slice/user-1000.slice/user@1000.service"
#define SYSTEM ((uid_t)-1)

static const struct {
	const char *path;
	enum workload_kind kind;
	const char *id, *name, *namespace_, *container;
	uid_t owner;
} cases[] = {
	/* nobody */
	{ "/", WORKLOAD_NONE, "", "", "", "", SYSTEM },
	{ "", WORKLOAD_NONE, "", "", "", "", SYSTEM },
	{ "/slurm/uid_1000/job_5", WORKLOAD_NONE, "", "", "", "", SYSTEM },
	{ "/mine/nginx.service", WORKLOAD_NONE, "", "", "", "", SYSTEM },
	/* systemd */
	{ "/init.scope", WORKLOAD_UNIT, "init.scope", "init.scope", "", "", SYSTEM },
	{ "/system.slice/nginx.service", WORKLOAD_UNIT, "nginx.service", "nginx.service", "", "",
	  SYSTEM },
	{ "/system.slice/system-getty.slice/getty@tty1.service", WORKLOAD_UNIT,
	  "getty@tty1.service", "getty@tty1.service", "", "", SYSTEM },
	{ "/system.slice/systemd-udevd.service/udev", WORKLOAD_UNIT, "systemd-udevd.service",
	  "systemd-udevd.service", "", "", SYSTEM },
	{ "/system.slice/foo.service/bar.service", WORKLOAD_UNIT, "foo.service", "foo.service", "",
	  "", SYSTEM },
	{ "/system.slice/dev-disk-by\\x2duuid-1.swap", WORKLOAD_UNIT, "dev-disk-by\\x2duuid-1.swap",
	  "dev-disk-by\\x2duuid-1.swap", "", "", SYSTEM },
	{ "/system.slice/_cpu.service", WORKLOAD_UNIT, "cpu.service", "cpu.service", "", "",
	  SYSTEM },
	{ "/system.slice", WORKLOAD_UNIT, "system.slice", "system.slice", "", "", SYSTEM },
	{ "/batch.slice/batch-night.slice/byhand", WORKLOAD_UNIT, "batch-night.slice",
	  "batch-night.slice", "", "", SYSTEM },
	{ "/system.slice/.service", WORKLOAD_UNIT, "system.slice", "system.slice", "", "", SYSTEM },
	/* sessions and users' managers */
	{ "/user.slice/user-1000.slice/session-2.scope", WORKLOAD_UNIT, "session-2.scope",
	  "session-2.scope", "", "", SYSTEM },
	{ USER "/init.scope", WORKLOAD_UNIT, "user@1000.service", "user@1000.service", "", "",
	  1000 },
	{ USER "/app.slice/pipewire.service", WORKLOAD_UNIT, "user@1000.service/pipewire.service",
	  "pipewire.service", "user@1000.service", "", 1000 },
	{ USER "/session.slice/dbus-:1.2-org.gnome.Foo@0.service", WORKLOAD_UNIT,
	  "user@1000.service/dbus-:1.2-org.gnome.Foo@0.service",
	  "dbus-:1.2-org.gnome.Foo@0.service", "user@1000.service", "", 1000 },
	{ USER "/app.slice/app-org.gnome.Terminal.slice/vte-spawn-8f.scope", WORKLOAD_UNIT,
	  "user@1000.service/vte-spawn-8f.scope", "vte-spawn-8f.scope", "user@1000.service", "",
	  1000 },
	/* docker, containerd */
	{ "/system.slice/docker-" ID ".scope", WORKLOAD_CONTAINER, ID, SHORT, "", ID, SYSTEM },
	{ "/docker/" ID, WORKLOAD_CONTAINER, ID, SHORT, "", ID, SYSTEM },
	{ "/docker/" ID "/system.slice/cron.service", WORKLOAD_CONTAINER, ID, SHORT, "", ID,
	  SYSTEM },
	{ "/docker/" ID "/docker/" ID2, WORKLOAD_CONTAINER, ID, SHORT, "", ID, SYSTEM },
	{ "/system.slice/docker.service", WORKLOAD_UNIT, "docker.service", "docker.service", "", "",
	  SYSTEM },
	{ "/default/" ID, WORKLOAD_CONTAINER, ID, SHORT, "", ID, SYSTEM },
	{ "/system.slice/nerdctl-" ID ".scope", WORKLOAD_CONTAINER, ID, SHORT, "", ID, SYSTEM },
	{ "/ecs/1f2e/" ID, WORKLOAD_CONTAINER, ID, SHORT, "", ID, SYSTEM },
	/* podman */
	{ "/machine.slice/libpod-" ID ".scope/container", WORKLOAD_CONTAINER, ID, SHORT, "", ID,
	  SYSTEM },
	{ "/machine.slice/libpod-conmon-" ID ".scope", WORKLOAD_UNIT, "libpod-conmon-" ID ".scope",
	  "libpod-conmon-" ID ".scope", "", "", SYSTEM },
	{ "/libpod_parent/libpod-" ID, WORKLOAD_CONTAINER, ID, SHORT, "", ID, SYSTEM },
	{ "/libpod_parent/conmon", WORKLOAD_NONE, "", "", "", "", SYSTEM },
	{ "/machine.slice/machine-libpod_pod_" ID2 ".slice/libpod-" ID ".scope", WORKLOAD_CONTAINER,
	  ID, SHORT, "", ID, SYSTEM },
	{ "/system.slice/web.service/libpod-payload-" ID, WORKLOAD_CONTAINER, ID, SHORT, "", ID,
	  SYSTEM },
	{ USER "/user.slice/libpod-" ID ".scope/container", WORKLOAD_CONTAINER, ID, SHORT, "", ID,
	  1000 },
	{ USER "/app.slice/docker-" ID ".scope", WORKLOAD_CONTAINER, ID, SHORT, "", ID, 1000 },
	/* Kubernetes: containerd and CRI-O, systemd and cgroupfs drivers */
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
	  ".slice/cri-containerd-" ID ".scope",
	  WORKLOAD_POD, UID, UID, "", ID, SYSTEM },
	{ "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope/container", WORKLOAD_POD,
	  UID, UID, "", ID, SYSTEM },
	{ "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-conmon-" ID ".scope", WORKLOAD_POD, UID,
	  UID, "", "", SYSTEM },
	{ "/kubepods/besteffort/pod" UID "/" ID, WORKLOAD_POD, UID, UID, "", ID, SYSTEM },
	{ "/kubepods/pod" UID "/crio-" ID, WORKLOAD_POD, UID, UID, "", ID, SYSTEM },
	{ "/kubepods/burstable/pod" UID, WORKLOAD_POD, UID, UID, "", "", SYSTEM },
	{ "/kubepods/burstable/pod" A16 A16 "/" ID, WORKLOAD_POD, A16 A16, A16 A16, "", ID,
	  SYSTEM },
	{ "/system.slice/containerd.service/kubepods-besteffort-pod" UID_
	  ".slice:cri-containerd:" ID,
	  WORKLOAD_POD, UID, UID, "", ID, SYSTEM },
	{ "/kubepods.slice", WORKLOAD_UNIT, "kubepods.slice", "kubepods.slice", "", "", SYSTEM },
	/* kind: nodes are Docker containers */
	{ "/docker/" ID2 "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_
	  ".slice/cri-containerd-" ID ".scope",
	  WORKLOAD_POD, UID, UID, "", ID, SYSTEM },
	{ "/docker/" ID2 "/system.slice/containerd.service", WORKLOAD_CONTAINER, ID2,
	  "f123456789ab", "", ID2, SYSTEM },
	/* LXC, LXD, nspawn, libvirt */
	{ "/lxc.payload.web1/system.slice/nginx.service", WORKLOAD_CONTAINER, "web1", "web1", "",
	  "", SYSTEM },
	{ "/lxc/101/ns", WORKLOAD_CONTAINER, "101", "101", "", "", SYSTEM },
	{ "/lxc.payload/a/init.scope", WORKLOAD_CONTAINER, "a", "a", "", "", SYSTEM },
	{ "/lxc.monitor.web1", WORKLOAD_NONE, "", "", "", "", SYSTEM },
	{ "/machine.slice/machine-debian\\x2d12.scope/payload/init.scope", WORKLOAD_CONTAINER,
	  "debian-12", "debian-12", "", "", SYSTEM },
	{ "/machine.slice/systemd-nspawn@web.service/payload/system.slice/a.service",
	  WORKLOAD_CONTAINER, "web", "web", "", "", SYSTEM },
	{ "/machine.slice/systemd-nspawn@web.service/supervisor", WORKLOAD_UNIT,
	  "systemd-nspawn@web.service", "systemd-nspawn@web.service", "", "", SYSTEM },
	{ "/machine.slice/systemd-nspawn@web.service/supervisor/payload", WORKLOAD_UNIT,
	  "systemd-nspawn@web.service", "systemd-nspawn@web.service", "", "", SYSTEM },
	{ "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator", WORKLOAD_UNIT,
	  "machine-qemu\\x2d1\\x2dvm.scope", "machine-qemu\\x2d1\\x2dvm.scope", "", "", SYSTEM },
	/* nearly */
	{ "/docker/" A16 A16 A16, WORKLOAD_NONE, "", "", "", "", SYSTEM },
	{ "/docker/x" ID, WORKLOAD_NONE, "", "", "", "", SYSTEM },
	{ "/kubepods/pod-" UID, WORKLOAD_NONE, "", "", "", "", SYSTEM },
	{ "/machine.slice/machine-.scope", WORKLOAD_UNIT, "machine-.scope", "machine-.scope", "",
	  "", SYSTEM },
	{ "/a\xff\n\x1b[31m.service/" ID, WORKLOAD_CONTAINER, ID, SHORT, "", ID, SYSTEM },
	/* dashes at the wrong places: no pod (the fuzzer's find) */
	{ "/kubepods.slice/kubepods-pod8f3f1c3a_1_4e6cc38_9c1b_0d8a7b6c5d4e.slice/crio-" ID
	  ".scope",
	  WORKLOAD_CONTAINER, ID, SHORT, "", ID, SYSTEM },
	/* deceit: the first claim holds */
	{ "/kubepods/pod" UID "/" ID "/kubepods/pod" UID2 "/" ID2, WORKLOAD_POD, UID, UID, "", ID,
	  SYSTEM },
	{ USER "/kubepods-pod" UID_ ".slice/x.service", WORKLOAD_UNIT,
	  "user@1000.service/x.service", "x.service", "user@1000.service", "", 1000 },
	{ USER "/app.slice/a.service/user@0.service/sshd.service", WORKLOAD_UNIT,
	  "user@1000.service/a.service", "a.service", "user@1000.service", "", 1000 },
};

static void test_table(void **state)
{
	struct cgroup_class class;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cgroup_classify(cases[i].path, &class);
		if (class.kind != cases[i].kind)
			print_error("%s\n", cases[i].path);
		assert_int_equal(class.kind, cases[i].kind);
		assert_string_equal(class.id, cases[i].id);
		assert_string_equal(class.name, cases[i].name);
		assert_string_equal(class.namespace_, cases[i].namespace_);
		assert_string_equal(class.container, cases[i].container);
		assert_int_equal(class.owner, cases[i].owner);
	}
}

/* A component of the longest size that the kernel makes, and one that is longer. */
static void test_long_names(void **state)
{
	char path[NAME_MAX + 64], longest[NAME_MAX + 1];
	struct cgroup_class class;

	memset(longest, 'a', NAME_MAX);
	longest[NAME_MAX] = 0;
	memcpy(longest + NAME_MAX - 8, ".service", 8);

	snprintf(path, sizeof(path), "/system.slice/%s", longest);
	cgroup_classify(path, &class);
	assert_int_equal(class.kind, WORKLOAD_UNIT);
	assert_string_equal(class.id, longest);

	snprintf(path, sizeof(path), "/system.slice/a%s", longest);
	cgroup_classify(path, &class);
	assert_string_equal(class.id, "system.slice");

	snprintf(path, sizeof(path), "/lxc.payload.%s", longest + 12);
	cgroup_classify(path, &class);
	assert_int_equal(class.kind, WORKLOAD_CONTAINER);
	assert_string_equal(class.name, longest + 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
