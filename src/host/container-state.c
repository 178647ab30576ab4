/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where runtimes keep what they know: Docker (moby: container/container.go, config.v2.json), the
 * OCI bundle of containerd and CRI-O with the annotations of their CRI plug-ins
 * (containerd: pkg/cri/annotations; CRI-O: pkg/annotations), and containers/storage (podman:
 * containers.json and, for --rm, volatile-containers.json; libpod's share is JSON in a string).
 *
 * Rootless containers are described by files in the home of a user, who may put there what he
 * likes: links are resolved as if the home were /, other file systems are not entered, only regular
 * files are read, and never more than CONTAINER_STATE_FILE_MAX of them.
 */
#include "host/container-state.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/open.h"
#include "base/util.h"

/* --- one file ------------------------------------------------------------------------------ */

/* Keeps a copy of text, unless there is a value already. */
static int keep(char **field, const char *text)
{
	if (*field || !text || !*text)
		return 0;
	*field = strndup(text, CONTAINER_TEXT_MAX);
	return *field ? 0 : -ENOMEM;
}

static int keep_member(char **field, const struct json_object *object, const char *key)
{
	const char *text = NULL;

	json_get_string(object, key, &text);
	return keep(field, text);
}

static struct json_object *get_member(const struct json_object *object, const char *key,
				      enum json_type type)
{
	struct json_object *member;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &member) || !json_object_is_type(member, type))
		return NULL;
	return member;
}

/* The same facts have other names in each runtime's labels and annotations. */
static int parse_labels(const struct json_object *labels, struct container_state *state)
{
	static const struct {
		const char *key;
		size_t field;
	} known[] = {
		{ "io.kubernetes.cri.container-name", offsetof(struct container_state, name) },
		{ "io.kubernetes.cri.image-name", offsetof(struct container_state, image) },
		{ "io.kubernetes.cri.sandbox-name", offsetof(struct container_state, pod_name) },
		{ "io.kubernetes.cri.sandbox-namespace",
		  offsetof(struct container_state, pod_namespace) },
		{ "io.kubernetes.container.name", offsetof(struct container_state, name) },
		{ "io.kubernetes.cri-o.ImageName", offsetof(struct container_state, image) },
		{ "io.kubernetes.pod.name", offsetof(struct container_state, pod_name) },
		{ "io.kubernetes.pod.namespace", offsetof(struct container_state, pod_namespace) },
		{ "nerdctl/name", offsetof(struct container_state, name) },
	};
	int r = 0;

	if (!labels)
		return 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(known); i++)
		r = keep_member((char **)((char *)state + known[i].field), labels, known[i].key);
	return r;
}

/* {"Name": "/web", "Config": {"Image": "nginx:1", "Labels": {...}}} */
static int parse_docker(const struct json_object *object, const char *id,
			struct container_state *state)
{
	const struct json_object *config = get_member(object, "Config", json_type_object);
	const char *name = "";
	int r;

	/* The labels first: with Kubernetes, Docker's own name is a concatenation of all. */
	r = parse_labels(config ? get_member(config, "Labels", json_type_object) : NULL, state);
	json_get_string(object, "Name", &name);
	r = r ?: keep(&state->name, name + (*name == '/'));
	return r ?: config ? keep_member(&state->image, config, "Image") : 0;
}

/* {"annotations": {...}} */
static int parse_oci(const struct json_object *object, const char *id,
		     struct container_state *state)
{
	return parse_labels(get_member(object, "annotations", json_type_object), state);
}

/* {"id": ..., "names": ["web"], "metadata": "{\"image-name\": \"docker.io/library/nginx:1\"}"} */
static int parse_stored(const struct json_object *container, struct container_state *state)
{
	const struct json_object *names = get_member(container, "names", json_type_array);
	_cleanup_json_ struct json_object *metadata = NULL;
	struct json_object *first = names ? json_object_array_get_idx(names, 0) : NULL;
	const char *text = "";
	int r = 0;

	if (json_object_is_type(first, json_type_string))
		r = keep(&state->name, json_object_get_string(first));
	json_get_string(container, "metadata", &text);
	if (r == 0 && json_parse(text, strlen(text), CONTAINER_STATE_FILE_MAX, &metadata) == 0 &&
	    json_object_is_type(metadata, json_type_object))
		r = keep_member(&state->image, metadata, "image-name")
			    ?: keep_member(&state->name, metadata, "name");
	return r;
}

static int parse_storage(const struct json_object *array, const char *id,
			 struct container_state *state)
{
	const struct json_object *container;
	const char *its_id;

	if (!json_object_is_type(array, json_type_array))
		return -EINVAL;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		container = json_object_array_get_idx(array, i);
		if (json_object_is_type(container, json_type_object) &&
		    json_get_string(container, "id", &its_id) == 0 && streq(its_id, id))
			return parse_stored(container, state);
	}
	return -ENOENT;
}

int container_state_parse(enum container_format format, const char *text, size_t size,
			  const char *id, struct container_state *ret)
{
	static int (*const parsers[])(const struct json_object *json, const char *id,
				      struct container_state *state) = {
		[CONTAINER_FORMAT_DOCKER] = parse_docker,
		[CONTAINER_FORMAT_OCI] = parse_oci,
		[CONTAINER_FORMAT_STORAGE] = parse_storage,
	};
	_cleanup_container_state_ struct container_state state = { 0 };
	_cleanup_json_ struct json_object *json = NULL;
	int r;

	r = json_parse(text, size, CONTAINER_STATE_FILE_MAX, &json);
	if (r < 0)
		return r;
	if (!json_object_is_type(json, json_type_object) && format != CONTAINER_FORMAT_STORAGE)
		return -EINVAL;
	r = parsers[format](json, id, &state);
	if (r < 0)
		return r;
	if (!state.name && !state.pod_name)
		return -ENOENT;
	*ret = state;
	state = (struct container_state){ 0 };
	return 0;
}

void container_state_done(struct container_state *state)
{
	free(state->name);
	free(state->image);
	free(state->pod_name);
	free(state->pod_namespace);
	*state = (struct container_state){ 0 };
}

/* --- which file ---------------------------------------------------------------------------- */

struct source {
	enum container_format format;
	const char *path; /* %s: the id; below the root, or below the user's home */
};

#define CONTAINERD "io.containerd.runtime.v2.task"

static const struct source system_sources[] = {
	{ CONTAINER_FORMAT_DOCKER, "var/lib/docker/containers/%s/config.v2.json" },
	{ CONTAINER_FORMAT_OCI, "run/containerd/" CONTAINERD "/k8s.io/%s/config.json" },
	{ CONTAINER_FORMAT_OCI, "run/containerd/" CONTAINERD "/default/%s/config.json" },
	{ CONTAINER_FORMAT_OCI, "run/k3s/containerd/" CONTAINERD "/k8s.io/%s/config.json" },
	{ CONTAINER_FORMAT_OCI,
	  "run/containers/storage/overlay-containers/%s/userdata/config.json" },
	{ CONTAINER_FORMAT_STORAGE,
	  "var/lib/containers/storage/overlay-containers/containers.json" },
	{ CONTAINER_FORMAT_STORAGE,
	  "var/lib/containers/storage/overlay-containers/volatile-containers.json" },
	{ CONTAINER_FORMAT_STORAGE, "var/lib/containers/storage/vfs-containers/containers.json" },
	{ CONTAINER_FORMAT_STORAGE,
	  "var/lib/containers/storage/vfs-containers/volatile-containers.json" },
};

static const struct source user_sources[] = {
	{ CONTAINER_FORMAT_DOCKER, ".local/share/docker/containers/%s/config.v2.json" },
	{ CONTAINER_FORMAT_STORAGE,
	  ".local/share/containers/storage/overlay-containers/containers.json" },
	{ CONTAINER_FORMAT_STORAGE,
	  ".local/share/containers/storage/overlay-containers/volatile-containers.json" },
};

/* Reads a byte more than container_state_parse() takes, so that it sees what is too big. */
static int read_all(int fd, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *buf = malloc(CONTAINER_STATE_FILE_MAX + 1);
	size_t size = 0;
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	while ((n = read(fd, buf + size, CONTAINER_STATE_FILE_MAX + 1 - size)) > 0)
		size += (size_t)n;
	if (n < 0)
		return -errno;
	*ret = TAKE(buf);
	*ret_size = size;
	return 0;
}

static int read_source(int root, const struct source *source, unsigned resolve, const char *id,
		       struct container_state *ret)
{
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t size = 0;
	int r;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(path, sizeof(path), source->path, id);
#pragma GCC diagnostic pop
	fd = open_regular_in_root(root, path, resolve);
	if (fd < 0)
		return fd;
	r = read_all(fd, &text, &size);
	return r < 0 ? r : container_state_parse(source->format, text, size, id, ret);
}

/* The first source that knows the container. */
static int read_sources(int root, const struct source *sources, size_t n, unsigned resolve,
			const char *id, struct container_state *ret)
{
	int r, result = -ENOENT;

	for (size_t i = 0; i < n; i++) {
		r = read_source(root, &sources[i], resolve, id, ret);
		if (r == 0 || r == -ENOMEM)
			return r;
		if (r == -E2BIG)
			result = r;
	}
	return result;
}

/* A directory, from /etc/passwd alone: name services may ask the network and take their time. */
static int open_home(int root, uid_t owner)
{
	_cleanup_close_ int fd = open_regular_in_root(root, "etc/passwd", 0);
	_cleanup_fclose_ FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	struct passwd entry, *found;
	char buf[4096];

	if (!file)
		return -ENOENT;
	fd = -EBADF; /* the stream's */
	while (fgetpwent_r(file, &entry, buf, sizeof(buf), &found) == 0)
		if (entry.pw_uid == owner)
			return open_in_root(root, entry.pw_dir, O_PATH | O_DIRECTORY, 0);
	return -ENOENT;
}

int container_state_read(const struct host_roots *roots, const char *id, uid_t owner,
			 struct container_state *ret)
{
	_cleanup_close_ int root = open(roots->files, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int home = -EBADF;

	if (root < 0)
		return -errno;
	if (owner == (uid_t)-1)
		return read_sources(root, system_sources, ARRAY_SIZE(system_sources), 0, id, ret);
	home = open_home(root, owner);
	if (home < 0)
		return home;
	return read_sources(home, user_sources, ARRAY_SIZE(user_sources), RESOLVE_NO_XDEV, id, ret);
}
