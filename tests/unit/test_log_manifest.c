/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Manifests of backups as anyone may have written them: one that is not as
 * ours are is refused by name, and no file that it names is touched.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/fs.h"
#include "log/manifest.h"
#include "tests/lib/backupfix.h"

#define HEAD                                                               \
	"{\"peal_backup\":1,\"log\":\"000102030405060708090a0b0c0d0e0f\"," \
	"\"epoch\":1,\"seq\":1,\"taken_us\":1,\"files\":["
#define OF_NOTHING                                                       \
	"{\"peal_backup\":1," ID "\"epoch\":1,\"seq\":0,\"taken_us\":1," \
	"\"files\":["
#define SHA "0000000000000000000000000000000000000000000000000000000000000000"
#define SIZED(name, capacity)                                               \
	"{\"name\":\"" name "\",\"bytes\":9000,\"capacity\":" capacity ","  \
	"\"sealed\":false,\"first_seq\":1,\"last_seq\":1,\"sha256\":\"" SHA \
	"\"}"
#define FILE_OF(name) SIZED(name, "65536")
/* One whose members are all as they should be, but for those in what. */
#define FILE_WITH(what) "{\"name\":\"" NAME "\"," what "\"sha256\":\"" SHA "\"}"
#define ID		"\"log\":\"000102030405060708090a0b0c0d0e0f\","
#define NAME		"00000000000000000001-0000000001.seg"

static const struct {
	const char *text;
	const char *says;
} manifests[] = {
	{ "", "no manifest" },
	{ "[]", "no manifest" },
	{ "{}", "'peal_backup' is missing" },
	{ "{\"peal_backup\":2}", "version 2" },
	{ "{\"peal_backup\":1,\"log\":\"xx\"}", "no log's id" },
	{ HEAD FILE_OF("../../../etc/passwd") "]}", "file 1 of it is wrong" },
	{ HEAD FILE_OF("/etc/passwd") "]}", "file 1 of it is wrong" },
	{ HEAD FILE_OF("LOCK") "]}", "file 1 of it is wrong" },
	{ HEAD FILE_OF("") "]}", "file 1 of it is wrong" },
	{ HEAD FILE_OF("00000000000000000001-0000000001.seg/../x") "]}",
	    "file 1 of it is wrong" },
	{ HEAD FILE_OF("00000000000000000002-0000000001.seg") "]}",
	    "file 1 of it is wrong" },
	{ HEAD SIZED(NAME, "0") "]}", "file 1 of it is wrong" },
	{ HEAD SIZED(NAME, "1099511627777") "]}", "file 1 of it is wrong" },
	{ HEAD SIZED(NAME, "9223372036854775807") "]}",
	    "file 1 of it is wrong" },
	{ HEAD FILE_OF(NAME) "," FILE_OF(NAME) "]}", "not in order" },
	{ HEAD FILE_OF(NAME), "no manifest" },
	{ HEAD "1]}", "file 1 of it is wrong" },
	{ HEAD "]}", "do not end with 'seq'" },
	{ OF_NOTHING "{\"name\":\"base-00000000000000000040.zst\","
		     "\"bytes\":9,\"sha256\":\"" SHA "\"}]}",
	    "first file is no segment" },
	{ HEAD "{\"name\":\"" NAME "\",\"bytes\":9,\"capacity\":65536,"
	       "\"sealed\":true,\"first_seq\":1,\"last_seq\":1,"
	       "\"sha256\":\"" SHA "\"}]}",
	    "file 1 of it is wrong" },
	{ "{\"peal_backup\":1}", "no log's id" },
	{ "{\"peal_backup\":1,\"log\":7}", "no log's id" },
	{ "{\"peal_backup\":1,\"log\":"
	  "\"000102030405060708090a0b0c0d0e0\"}",
	    "no log's id" },
	{ "{\"peal_backup\":1,\"log\":"
	  "\"000102030405060708090a0b0c0d0e0F\"}",
	    "no log's id" },
	{ "{\"peal_backup\":1,\"log\":"
	  "\"000102030405060708090a0b0c0d0e g\"}",
	    "no log's id" },
	{ "{\"peal_backup\":1,\"log\":"
	  "\"000102030405060708090a0b0c0d0e:0\"}",
	    "no log's id" },
	{ "{\"peal_backup\":1,\"log\":"
	  "\"000102030405060708090a0b0c0d0e0g\"}",
	    "no log's id" },
	{ "{\"peal_backup\":1,\"log\":"
	  "\"000102030405060708090a0b0c0d0e0f00\"}",
	    "no log's id" },
	{ "{\"peal_backup\":1," ID "\"seq\":1,\"taken_us\":1,\"files\":[]}",
	    "is no number" },
	{ "{\"peal_backup\":1," ID "\"epoch\":1,\"taken_us\":1,\"files\":[]}",
	    "is no number" },
	{ "{\"peal_backup\":1," ID "\"epoch\":1,\"seq\":-1,\"taken_us\":1}",
	    "is no number" },
	{ "{\"peal_backup\":1," ID "\"epoch\":1,\"seq\":1,\"files\":[]}",
	    "is no number" },
	{ "{\"peal_backup\":1," ID "\"epoch\":1,\"seq\":1,\"taken_us\":1}",
	    "no list of files" },
	{ "{\"peal_backup\":1," ID "\"epoch\":1,\"seq\":1,\"taken_us\":1,"
	  "\"head\":\"00\",\"files\":[]}",
	    "'head' is no SHA-256" },
	{ HEAD FILE_OF("00000000000000000001-0000000001.segz") "]}",
	    "file 1 of it is wrong" },
	{ HEAD FILE_OF(NAME NAME NAME NAME) "]}", "file 1 of it is wrong" },
	/* As long as there is room for, without its end. */
	{ HEAD FILE_OF("000000000000000000000000000000000000000000000000") "]}",
	    "file 1 of it is wrong" },
	{ HEAD "{\"name\":1,\"bytes\":9000}]}", "file 1 of it is wrong" },
	{ HEAD FILE_WITH("") "]}", "file 1 of it is wrong" },
	{ HEAD FILE_WITH("\"bytes\":9000,\"sealed\":false,"
			 "\"first_seq\":1,\"last_seq\":1,") "]}",
	    "file 1 of it is wrong" },
	{ HEAD FILE_WITH("\"bytes\":9000,\"capacity\":65536,"
			 "\"sealed\":0,\"first_seq\":1,\"last_seq\":1,") "]}",
	    "file 1 of it is wrong" },
	{ HEAD FILE_WITH("\"bytes\":9000,\"capacity\":65536,"
			 "\"sealed\":false,\"last_seq\":1,") "]}",
	    "file 1 of it is wrong" },
	{ HEAD FILE_WITH("\"bytes\":9000,\"capacity\":65536,"
			 "\"sealed\":false,\"first_seq\":1,") "]}",
	    "file 1 of it is wrong" },
	/* Without a capacity it would be taken for a base. */
	{ HEAD FILE_WITH("\"bytes\":0,\"capacity\":0,\"sealed\":false,"
			 "\"first_seq\":1,\"last_seq\":1,") "]}",
	    "file 1 of it is wrong" },
	{ HEAD FILE_WITH(
	      "\"bytes\":65537,\"capacity\":65536,"
	      "\"sealed\":false,\"first_seq\":1,\"last_seq\":1,") "]}",
	    "file 1 of it is wrong" },
	{ HEAD "{\"name\":\"00000000000000000009-0000000001.seg\","
	       "\"bytes\":9000,\"capacity\":65536,\"sealed\":false,"
	       "\"first_seq\":9,\"last_seq\":7,\"sha256\":\"" SHA "\"}]}",
	    "file 1 of it is wrong" },
	{ HEAD FILE_OF(NAME) "]}", "is missing" },
	{ HEAD SIZED(NAME, "1099511627776") "]}", "is missing" },
};

static void
a_manifest_that_is_none_leads_nowhere(void **state)
{
	struct backupfix *w = *state;
	int fd;

	for (size_t i = 0; i < ARRAY_LEN(manifests); i++) {
		const char *text = manifests[i].text;

		assert_int_equal(fs_replace(&sysio_posix, w->to, MANIFEST_NAME,
				     text, strlen(text), 0640, &w->why),
		    0);
		assert_int_equal(
		    backupfix_restore(w, UINT64_MAX, UINT64_MAX, &fd),
		    LOG_RESTORE_DAMAGED);
		if (!strstr(w->why.text, manifests[i].says))
			fail_msg("%s: %s", text, w->why.text);
	}
}

/* Each name of some is found, and none that is not there. */
static void
files_are_found_by_name(void **state)
{
	struct manifest m = { 0 };
	struct manifest_file f = { 0 };

	(void)state;
	for (unsigned n = 0; n < 40; n++) {
		assert_null(manifest_find(&m, "b"));
		for (unsigned i = 0; i < n; i++) {
			const struct manifest_file *found;

			snprintf(f.name, sizeof(f.name), "c%02u", i);
			found = manifest_find(&m, f.name);
			assert_non_null(found);
			assert_string_equal(found->name, f.name);
			snprintf(f.name, sizeof(f.name), "c%02u+", i);
			assert_null(manifest_find(&m, f.name));
		}
		snprintf(f.name, sizeof(f.name), "c%02u", n);
		assert_int_equal(manifest_add(&m, &f), 0);
	}
	manifest_deinit(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_manifest_that_is_none_leads_nowhere, backupfix_setup,
		    backupfix_teardown),
		cmocka_unit_test(files_are_found_by_name),
	};

	return cmocka_run_group_tests_name("log_manifest", tests, NULL, NULL);
}
