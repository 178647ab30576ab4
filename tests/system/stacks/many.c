/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* many {threads | forks}: eight threads, or children that execute nothing. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spin.h"

#define MANY 8

static NOINLINE int work(void)
{
	return spin_for(SPIN_MS / 2) + (int)sink;
}

static NOINLINE void *thread(void *arg)
{
	sink += work();
	return arg;
}

static NOINLINE int child(void)
{
	return work() + (int)sink;
}

static NOINLINE int forks(void)
{
	for (int i = 0; i < MANY; i++)
		if (fork() == 0)
			exit(child() & 1);
	while (wait(NULL) > 0)
		sink++;
	return (int)sink;
}

static NOINLINE int threads(void)
{
	pthread_t t[MANY];

	for (int i = 0; i < MANY; i++)
		if (pthread_create(&t[i], NULL, thread, NULL) != 0)
			abort();
	for (int i = 0; i < MANY; i++)
		pthread_join(t[i], NULL);
	return (int)sink;
}

int main(int argc, char **argv)
{
	return (argc > 1 && strcmp(argv[1], "forks") == 0 ? forks() : threads()) == 1;
}
