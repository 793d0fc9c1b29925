/* SPDX-License-Identifier: BSD-2-Clause */

/* Dice, and the inputs that are kept; see the header. */

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "core/macros.h"
#include "core/time.h"
#include "tests/lib/fuzz.h"

enum {
	INPUT_MAX = 1 << 16
};

static uint64_t dice = 1;

void
fuzz_seed(void)
{
	const char *given = getenv("PEAL_SEED");

	dice = given ? strtoull(given, NULL, 10) : time_wall_us() | 1;
	/* Said first: a crash must not take the seed with it. */
	fprintf(stderr, "# seed %" PRIu64 "\n", dice);
}

/* xorshift64. */
uint64_t
fuzz_roll(uint64_t n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice % n;
}

static bool
replay_file(const char *path, void (*fn)(const uint8_t *p, size_t len))
{
	static uint8_t all[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	size_t len = f ? fread(all, 1, sizeof(all), f) : 0;
	uint8_t *exact = malloc(len + !len);

	if (!f || !exact)
		return false;
	fclose(f);
	memcpy(exact, all, len);
	fn(exact, len);
	free(exact);
	return true;
}

bool
fuzz_replay(const char *name, void (*fn)(const uint8_t *p, size_t len))
{
	const char *top = getenv("top_srcdir");
	char dir[PATH_MAX / 2], path[PATH_MAX];
	const struct dirent *e;
	unsigned n = 0;
	DIR *d;

	snprintf(
	    dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", top ? top : ".", name);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			n += replay_file(path, fn);
	}
	if (d)
		closedir(d);
	printf("%sok 1 - what fuzzing has found is taken or refused\n",
	    n > 0 ? "" : "not ");
	printf("# %u inputs of %s\n", n, dir);
	return n > 0;
}
