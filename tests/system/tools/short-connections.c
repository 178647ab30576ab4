/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connections that are over before anybody could look: each client forks, connects, says a word and
 * exits at once; the server is preforked, so that who accepts is not who listens. Both tell their
 * side of the truth: a line "PORT PID" per connection on stdout, PORT being the client's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* One write: lines of several processes do not mix. */
static void tell(const struct sockaddr_in *client)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%d %d\n", ntohs(client->sin_port), getpid());

	if (write(STDOUT_FILENO, line, n) != n)
		die("write");
}

static struct sockaddr_in address_of(const char *address, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };

	if (inet_pton(AF_INET, address, &a.sin_addr) != 1)
		die(address);
	return a;
}

static void work(int listener)
{
	struct sockaddr_in client;
	socklen_t size;
	char word[16];
	int fd;

	prctl(PR_SET_NAME, "short-worker");
	for (;;) {
		size = sizeof(client);
		fd = accept(listener, (struct sockaddr *)&client, &size);
		if (fd < 0)
			die("accept");
		tell(&client);
		if (read(fd, word, sizeof(word)) > 0 && write(fd, word, sizeof(word)) > 0)
			while (read(fd, word, sizeof(word)) > 0)
				;
		close(fd);
	}
}

static int serve(const struct sockaddr_in *address, int workers)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 || listen(fd, 256) < 0)
		die("listen");
	for (int i = 0; i < workers; i++)
		if (fork() == 0)
			work(fd);
	pause();
	return 0;
}

static void call(const struct sockaddr_in *server)
{
	struct sockaddr_in own;
	socklen_t size = sizeof(own);
	char word[16] = "hello";
	int fd;

	prctl(PR_SET_NAME, "short-client");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (const struct sockaddr *)server, sizeof(*server)) < 0)
		die("connect");
	getsockname(fd, (struct sockaddr *)&own, &size);
	if (write(fd, word, sizeof(word)) < 0 || read(fd, word, sizeof(word)) < 0)
		die("talk");
	tell(&own);
	_exit(0);
}

static int call_often(const struct sockaddr_in *server, int n, int at_once)
{
	int status, running = 0, failed = 0;

	while (n > 0 || running > 0) {
		if (n > 0 && running < at_once) {
			n--;
			running++;
			if (fork() == 0)
				call(server);
			continue;
		}
		if (wait(&status) < 0)
			die("wait");
		failed |= status;
		running--;
	}
	return failed != 0;
}

int main(int argc, char *argv[])
{
	struct sockaddr_in address;

	if (argc < 5) {
		fprintf(stderr, "%s server ADDRESS PORT WORKERS | client ADDRESS PORT N AT-ONCE\n",
			argv[0]);
		return 2;
	}
	address = address_of(argv[2], argv[3]);
	if (strcmp(argv[1], "server") == 0)
		return serve(&address, atoi(argv[4]));
	return argc < 6 ? 2 : call_often(&address, atoi(argv[4]), atoi(argv[5]));
}
