/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Service managers and container runtimes name their cgroups in a dozen ways; this file knows them.
 * The path is read from the root down and the first that claims a part of the tree keeps it: what
 * is below a container or a service was named by whoever lives in there, and must not pass for
 * somebody else. The one exception is a pod in a container (Kubernetes in Docker).
 *
 * Sources: systemd's docs/CGROUP_DELEGATION.md and systemd.unit(5) for units; kubelet's
 * pkg/kubelet/cm/cgroup_manager_linux.go for pods; lxc.container.conf(5), systemd-nspawn(1).
 */
#include "host/cgroup-class.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define CONTAINER_ID_LEN 64
#define POD_UID_LEN 36 /* a UUID */
#define POD_HASH_LEN 32 /* static pods: MD5 of the manifest */

/* What the components so far add up to. */
struct walk {
	struct cgroup_class *class;
	unsigned depth;
	bool units_end; /* a service or scope was found: what is below is its own affair */
	bool nspawn; /* the last component was a systemd-nspawn@.service */
	char manager[CGROUP_NAME_LEN]; /* "user@UID.service"; "" outside */
	char unit[CGROUP_NAME_LEN];
	char container[CGROUP_NAME_LEN];
	char pod[POD_UID_LEN + 1];
	char last[CGROUP_NAME_LEN]; /* the component before */
};

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && streq(s + n - m, suffix);
}

static bool is_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isdigit((unsigned char)s[i]) && (s[i] < 'a' || s[i] > 'f'))
			return false;
	return true;
}

/*
 * ID, docker-ID.scope, libpod-ID, cri-containerd-ID.scope, kubepods-podUID.slice:cri-containerd:ID.
 * Not libpod-conmon-ID.scope: that is the process which watches the container from outside.
 */
static bool container_id(const char *component, char *ret)
{
	size_t n = strlen(component);
	const char *id;

	if (has_suffix(component, ".scope"))
		n -= strlen(".scope");
	if (n < CONTAINER_ID_LEN)
		return false;
	id = component + n - CONTAINER_ID_LEN;
	if (!is_hex(id, CONTAINER_ID_LEN))
		return false;
	if (id > component) {
		size_t prefix = (size_t)(id - component) - 1;

		if (component[prefix] != '-' && component[prefix] != ':')
			return false;
		if (prefix >= 6 && memcmp(component + prefix - 6, "conmon", 6) == 0)
			return false;
	}
	memcpy(ret, id, CONTAINER_ID_LEN);
	ret[CONTAINER_ID_LEN] = 0;
	return true;
}

static bool is_uuid(const char *s)
{
	for (size_t i = 0; i < POD_UID_LEN; i++) {
		bool dash = s[i] == '-' || s[i] == '_';

		if (dash != (i == 8 || i == 13 || i == 18 || i == 23))
			return false;
	}
	return true;
}

static bool copy_uid(const char *uid, size_t n, char ret[static POD_UID_LEN + 1])
{
	if (!(n == POD_UID_LEN && is_uuid(uid)) && !(n == POD_HASH_LEN && is_hex(uid, n)))
		return false;
	for (size_t i = 0; i < n; i++)
		ret[i] = uid[i] == '_' ? '-' : uid[i];
	ret[n] = 0;
	return true;
}

/* podUID (cgroupfs driver); kubepods-burstable-podUID.slice (systemd driver, with _ for the - that
 * slices need for themselves), after which a runtime and its container may follow. */
static bool pod_uid(const char *component, char ret[static POD_UID_LEN + 1])
{
	static const char digits[] = "0123456789abcdef-_";
	const char *uid = strstr(component, "kubepods");
	size_t n;

	if (has_prefix(component, "pod")) {
		uid = component + strlen("pod");
		n = strspn(uid, digits);
		return !uid[n] && copy_uid(uid, n, ret);
	}
	uid = uid ? strstr(uid, "-pod") : NULL;
	if (!uid)
		return false;
	uid += strlen("-pod");
	n = strspn(uid, digits);
	return has_prefix(uid + n, ".slice") && copy_uid(uid, n, ret);
}

/* systemd writes what cannot stand in a unit's name as \xHH. */
static void unit_unescape(const char *s, size_t n, char *ret)
{
	unsigned byte;

	while (n > 0) {
		if (n >= 4 && sscanf(s, "\\x%2x", &byte) == 1 && byte) {
			*ret++ = (char)byte;
			s += 4;
			n -= 4;
		} else {
			*ret++ = *s++;
			n--;
		}
	}
	*ret = 0;
}

/* machine-NAME.scope; but a machine of QEMU is no container. */
static bool machine_scope(const char *component, char *ret)
{
	static const char prefix[] = "machine-", suffix[] = ".scope";

	if (!has_prefix(component, prefix) || !has_suffix(component, suffix) ||
	    has_prefix(component, "machine-qemu\\x2d"))
		return false;
	component += strlen(prefix);
	unit_unescape(component, strlen(component) - strlen(suffix), ret);
	return *ret;
}

/* systemd-nspawn@NAME.service/payload; its sibling "supervisor" is the host's. */
static bool nspawn_payload(const struct walk *w, const char *component, char *ret)
{
	const char *name = w->last + strlen("systemd-nspawn@");

	if (!w->nspawn || !streq(component, "payload"))
		return false;
	unit_unescape(name, strlen(name) - strlen(".service"), ret);
	return true;
}

/* lxc.payload.NAME; /lxc/NAME and /lxc.payload/NAME of older versions. */
static bool lxc_payload(const struct walk *w, const char *component, char *ret)
{
	if (has_prefix(component, "lxc.payload."))
		component += strlen("lxc.payload.");
	else if (w->depth != 1 || (!streq(w->last, "lxc") && !streq(w->last, "lxc.payload")))
		return false;
	strcpy(ret, component);
	return *ret;
}

static bool is_unit(const char *component)
{
	static const char *const suffixes[] = { ".service", ".scope", ".slice",
						".socket",  ".mount", ".swap" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (has_suffix(component, suffixes[i]))
			return true;
	return false;
}

static void unit_component(struct walk *w, const char *component)
{
	/* systemd puts _ before a name that the kernel would take for one of its own files. */
	if (*component == '_')
		component++;
	if (!is_unit(component)) {
		w->units_end = true;
		return;
	}
	if (!*w->manager && has_prefix(component, "user@") && has_suffix(component, ".service")) {
		strcpy(w->manager, component);
		w->class->owner = (uid_t)strtoul(component + strlen("user@"), NULL, 10);
		*w->unit = 0;
		return;
	}
	w->units_end = !has_suffix(component, ".slice");
	if (*w->manager && streq(component, "init.scope"))
		return; /* the user's service manager itself */
	strcpy(w->unit, component);
	w->nspawn = has_prefix(component, "systemd-nspawn@") && has_suffix(component, ".service");
}

static void take_component(struct walk *w, const char *component)
{
	/* What lives in a user's manager can call itself anything: it may be a container, no pod. */
	if (!*w->pod && !*w->manager && pod_uid(component, w->pod))
		*w->container = 0;
	if (!*w->container &&
	    (container_id(component, w->container) || lxc_payload(w, component, w->container) ||
	     machine_scope(component, w->container) || nspawn_payload(w, component, w->container)))
		return;
	if (!*w->container && !*w->pod && !w->units_end)
		unit_component(w, component);
	else
		w->nspawn = false;
}

static void read_path(struct walk *w, const char *path)
{
	char name[CGROUP_NAME_LEN];
	size_t n;

	for (; path += strspn(path, "/"), *path; path += n) {
		n = strcspn(path, "/");
		if (n >= sizeof(name))
			return; /* the kernel makes no such name */
		memcpy(name, path, n);
		name[n] = 0;
		take_component(w, name);
		strcpy(w->last, name);
		w->depth++;
	}
}

static void name_unit(const struct walk *w, struct cgroup_class *class)
{
	const char *unit = *w->unit ? w->unit : w->manager;
	bool of_user = *w->manager && *w->unit;

	class->kind = WORKLOAD_UNIT;
	snprintf(class->id, sizeof(class->id), "%s%s%s", of_user ? w->manager : "",
		 of_user ? "/" : "", unit);
	strcpy(class->name, unit);
	strcpy(class->namespace_, of_user ? w->manager : "");
}

static void name_container(const struct walk *w, struct cgroup_class *class)
{
	/* People know the first 12 digits of an id; docker ps and podman ps show these. */
	int shown = *class->container ? 12 : -1;

	class->kind = WORKLOAD_CONTAINER;
	strcpy(class->id, w->container);
	snprintf(class->name, sizeof(class->name), "%.*s", shown, w->container);
}

void cgroup_classify(const char *path, struct cgroup_class *ret)
{
	struct walk w = { .class = ret };

	*ret = (struct cgroup_class){ .owner = (uid_t)-1 };
	read_path(&w, path);
	if (strlen(w.container) == CONTAINER_ID_LEN && is_hex(w.container, CONTAINER_ID_LEN))
		strcpy(ret->container, w.container);
	if (*w.pod) {
		ret->kind = WORKLOAD_POD;
		strcpy(ret->id, w.pod);
		strcpy(ret->name, w.pod);
	} else if (*w.container) {
		name_container(&w, ret);
	} else if (*w.unit || *w.manager) {
		name_unit(&w, ret);
	}
}
