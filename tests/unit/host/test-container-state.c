/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runtimes' state files: as they write them, and as somebody might write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "host/container-state.h"
#include "tests/unit/host/tree.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SYSTEM ((uid_t)-1)
#define TASKS "io.containerd.runtime.v2.task"
#define USER_STORAGE "home/u/.local/share/containers/storage/overlay-containers"

/* What docker 24 writes, cut to the part around what we read. */
#define DOCKER(name, labels)                                                            \
	"{\"StreamConfig\":{},\"State\":{\"Running\":true,\"Pid\":4711},\"ID\":\"" ID   \
	"\",\"Config\":{\"Hostname\":\"h\",\"Env\":[\"A=b\"],\"Image\":\"nginx:1.25\"," \
	"\"Labels\":" labels "},\"Name\":\"" name "\",\"Driver\":\"overlay2\"}"

static const char containerd[] =
	"{\"ociVersion\":\"1.1.0\",\"process\":{\"args\":[\"nginx\"]},\"annotations\":{"
	"\"io.kubernetes.cri.container-name\":\"web\",\"io.kubernetes.cri.container-type\":"
	"\"container\",\"io.kubernetes.cri.image-name\":\"docker.io/library/nginx:1.25\","
	"\"io.kubernetes.cri.sandbox-id\":\"" OTHER "\",\"io.kubernetes.cri.sandbox-name\":"
	"\"web-7d9c-x2x\",\"io.kubernetes.cri.sandbox-namespace\":\"shop\","
	"\"io.kubernetes.cri.sandbox-uid\":\"8f3f1c3a-6c1e-4c38-9c1b-0d8a7b6c5d4e\"}}";

static const char crio[] =
	"{\"ociVersion\":\"1.0.2\",\"annotations\":{\"io.kubernetes.container.name\":\"db\","
	"\"io.kubernetes.cri-o.ImageName\":\"quay.io/pg:15\",\"io.kubernetes.pod.name\":\"db-0\","
	"\"io.kubernetes.pod.namespace\":\"prod\",\"io.kubernetes.cri-o.Labels\":\"{}\"}}";

#define STORED(id, name)                                                                        \
	"{\"id\":\"" id "\",\"names\":[\"" name "\"],\"image\":\"9f\",\"layer\":\"1a\","        \
	"\"metadata\":\"{\\\"image-name\\\":\\\"localhost/debian:12\\\",\\\"name\\\":\\\"" name \
	"\\\"}\",\"created\":\"2026-11-20T10:00:00Z\",\"flags\":{\"MountLabel\":\"\"}}"

static const struct {
	const char *path, *text;
	uid_t owner;
	const char *name, *image, *pod_name, *pod_namespace;
} found[] = {
	{ "var/lib/docker/containers/" ID "/config.v2.json", DOCKER("/web", "{}"), SYSTEM, "web",
	  "nginx:1.25", NULL, NULL },
	{ "var/lib/docker/containers/" ID "/config.v2.json", DOCKER("/web", "null"), SYSTEM, "web",
	  "nginx:1.25", NULL, NULL },
	{ "var/lib/docker/containers/" ID "/config.v2.json",
	  DOCKER("/k8s_web_web-1_shop_8f_0",
		 "{\"io.kubernetes.container.name\":\"web\",\"io.kubernetes.pod.name\":\"web-1\","
		 "\"io.kubernetes.pod.namespace\":\"shop\"}"),
	  SYSTEM, "web", "nginx:1.25", "web-1", "shop" },
	{ "run/containerd/" TASKS "/k8s.io/" ID "/config.json", containerd, SYSTEM, "web",
	  "docker.io/library/nginx:1.25", "web-7d9c-x2x", "shop" },
	{ "run/k3s/containerd/" TASKS "/k8s.io/" ID "/config.json", containerd, SYSTEM, "web",
	  "docker.io/library/nginx:1.25", "web-7d9c-x2x", "shop" },
	{ "run/containerd/" TASKS "/default/" ID "/config.json",
	  "{\"annotations\":{\"nerdctl/name\":\"web-a1\"}}", SYSTEM, "web-a1", NULL, NULL, NULL },
	{ "run/containers/storage/overlay-containers/" ID "/userdata/config.json", crio, SYSTEM,
	  "db", "quay.io/pg:15", "db-0", "prod" },
	{ "var/lib/containers/storage/overlay-containers/containers.json",
	  "[" STORED(OTHER, "a") "," STORED(ID, "b") "]", SYSTEM, "b", "localhost/debian:12", NULL,
	  NULL },
	{ "var/lib/containers/storage/vfs-containers/volatile-containers.json",
	  "[" STORED(ID, "b") "]", SYSTEM, "b", "localhost/debian:12", NULL, NULL },
	{ USER_STORAGE "/containers.json", "[" STORED(ID, "mine") "]", 1000, "mine",
	  "localhost/debian:12", NULL, NULL },
	{ "home/u/.local/share/docker/containers/" ID "/config.v2.json", DOCKER("/mine", "{}"),
	  1000, "mine", "nginx:1.25", NULL, NULL },
	/* names are bytes */
	{ "var/lib/docker/containers/" ID "/config.v2.json",
	  DOCKER("/a\\nb\\u001b[31m\\u202ec", "{}"), SYSTEM,
	  "a\nb\x1b[31m\xe2\x80\xae"
	  "c",
	  "nginx:1.25", NULL, NULL },
	/* half of it */
	{ "var/lib/containers/storage/overlay-containers/containers.json",
	  "[1,null,{\"id\":3},{\"id\":\"" ID "\",\"names\":[\"b\"],\"metadata\":\"{{\"}]", SYSTEM,
	  "b", NULL, NULL, NULL },
};

static void assert_text(const char *is, const char *should)
{
	if (should)
		assert_string_equal(is, should);
	else
		assert_null(is);
}

static void test_found(void **state)
{
	struct host_roots roots = { .proc = "/proc" };

	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		_cleanup_container_state_ struct container_state container = { 0 };
		_cleanup_free_ char *root = NULL;
		char number[32];

		snprintf(number, sizeof(number), "%zu", i);
		root = tree_path(*state, number);
		roots.files = root;
		tree_mkdir(*state, number);
		tree_write(root, "etc/passwd",
			   "root:x:0:0::/root:/bin/sh\n\nbad\n"
			   "u:x:1000:1000:U,,,:/home/u:/bin/sh\n");
		tree_write(root, found[i].path, found[i].text);
		assert_int_equal(container_state_read(&roots, ID, found[i].owner, &container), 0);
		assert_text(container.name, found[i].name);
		assert_text(container.image, found[i].image);
		assert_text(container.pod_name, found[i].pod_name);
		assert_text(container.pod_namespace, found[i].pod_namespace);
	}
}

static const struct {
	const char *path, *text;
	uid_t owner;
} useless[] = {
	{ "x", "", SYSTEM },
	{ "x", "", 1000 },
	{ "x", "", 4242 }, /* no such user */
	/* another's */
	{ USER_STORAGE "/containers.json", "[" STORED(ID, "mine") "]", SYSTEM },
	{ "var/lib/docker/containers/" ID "/config.v2.json", DOCKER("/web", "{}"), 1000 },
	{ "var/lib/containers/storage/overlay-containers/containers.json",
	  "[" STORED(OTHER, "a") "]", SYSTEM },
	/* not what it should be */
	{ "var/lib/docker/containers/" ID "/config.v2.json", "", SYSTEM },
	{ "var/lib/docker/containers/" ID "/config.v2.json", "[]", SYSTEM },
	{ "var/lib/docker/containers/" ID "/config.v2.json", "{\"Name\":7,\"Config\":[]}", SYSTEM },
	{ "var/lib/docker/containers/" ID "/config.v2.json", "{\"Name\":\"/\"}", SYSTEM },
	{ "var/lib/docker/containers/" ID "/config.v2.json", "{\"Name\":\"/w", SYSTEM },
	{ "run/containerd/" TASKS "/k8s.io/" ID "/config.json", "{\"annotations\":\"a\"}", SYSTEM },
	{ "run/containerd/" TASKS "/k8s.io/" ID "/config.json", "{}", SYSTEM },
	{ "var/lib/containers/storage/overlay-containers/containers.json", "{}", SYSTEM },
	{ "var/lib/containers/storage/overlay-containers/containers.json",
	  "[{\"id\":\"" ID "\",\"names\":{}}]", SYSTEM },
};

static void test_useless(void **state)
{
	struct host_roots roots = { .proc = "/proc" };

	for (size_t i = 0; i < ARRAY_SIZE(useless); i++) {
		struct container_state container = { 0 };
		_cleanup_free_ char *root = NULL;
		char number[32];

		snprintf(number, sizeof(number), "%zu", i);
		root = tree_path(*state, number);
		roots.files = root;
		tree_mkdir(*state, number);
		tree_write(root, "etc/passwd", "u:x:1000:1000:U:/home/u:/bin/sh\n");
		tree_write(root, useless[i].path, useless[i].text);
		assert_int_equal(container_state_read(&roots, ID, useless[i].owner, &container),
				 -ENOENT);
		assert_null(container.name);
	}
}

static int read_user(const char *root, struct container_state *ret)
{
	struct host_roots roots = { .proc = "/proc", .files = root };

	return container_state_read(&roots, ID, 1000, ret);
}

/* What a user can put where we look for his containers. */
static void test_traps(void **state)
{
	static const char file[] = USER_STORAGE "/containers.json";
	_cleanup_container_state_ struct container_state container = { 0 };
	const char *root = *state;
	_cleanup_free_ char *path = tree_path(root, file), *secret = NULL, *big = NULL;

	tree_write(root, "etc/passwd", "u:x:1000:1000:U:/home/u:/bin/sh\n");
	tree_write(root, "secret.json", "[" STORED(ID, "secret") "]");
	tree_mkdir(root, USER_STORAGE);

	/* A link to a file of the system's: / is his home. */
	secret = tree_path(root, "secret.json");
	tree_link(root, file, secret);
	assert_int_equal(read_user(root, &container), -ENOENT);
	tree_link(root, file, "../../../../../../../secret.json");
	assert_int_equal(read_user(root, &container), -ENOENT);
	tree_link(root, file, "/proc/self/fd/0");
	assert_int_equal(read_user(root, &container), -ENOENT);

	/* A FIFO that nobody ever writes to. */
	unlink(path);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_int_equal(read_user(root, &container), -ENOENT);
	unlink(path);
	tree_mkdir(root, file);
	assert_int_equal(read_user(root, &container), -ENOENT);
	rmdir(path);

	/* More than we read. */
	big = malloc(CONTAINER_STATE_FILE_MAX + 1);
	memset(big, ' ', CONTAINER_STATE_FILE_MAX + 1);
	memcpy(big, "[" STORED(ID, "mine") "]", strlen("[" STORED(ID, "mine") "]"));
	tree_write_bytes(root, file, big, CONTAINER_STATE_FILE_MAX + 1);
	assert_int_equal(read_user(root, &container), -E2BIG);
	tree_write_bytes(root, file, big, CONTAINER_STATE_FILE_MAX);
	assert_int_equal(read_user(root, &container), 0);
	assert_string_equal(container.name, "mine");
}

/* A name of 600 bytes is cut. */
static void test_long_name(void **state)
{
	_cleanup_container_state_ struct container_state container = { 0 };
	char text[1024], name[601];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	snprintf(text, sizeof(text), "{\"Name\":\"/%s\"}", name);
	assert_int_equal(container_state_parse(CONTAINER_FORMAT_DOCKER, text, strlen(text), ID,
					       &container),
			 0);
	assert_int_equal(strlen(container.name), CONTAINER_TEXT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_found, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_useless, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_traps, tree_setup, tree_teardown),
		cmocka_unit_test(test_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
