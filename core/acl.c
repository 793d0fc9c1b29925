/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Permissions.  What no pattern names is refused; topics of the system need
 * an administrator besides.
 */

#include <errno.h>
#include <string.h>

#include "core/acl.h"
#include "core/reason.h"
#include "core/topic.h"

static void
acl_free_list(char **list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void
acl_deinit(struct acl *acl)
{
	acl_free_list(acl->read, acl->n_read);
	acl_free_list(acl->write, acl->n_write);
	*acl = (struct acl){ 0 };
}

/* A pattern that is one; most: how many there may be. */
static int
acl_insert(struct acl *acl, enum acl_list list, struct slice pattern,
    unsigned most, struct reason *why)
{
	char ***patterns = list == ACL_READ ? &acl->read : &acl->write;
	unsigned *n = list == ACL_READ ? &acl->n_read : &acl->n_write;
	unsigned at = *n;
	char **grown, *text;
	int order = -1;

	text = strndup((const char *)pattern.p, pattern.len);
	if (!text)
		return -ENOMEM;
	while (at && (order = strcmp((*patterns)[at - 1], text)) > 0)
		at--;
	if (at && order == 0) {
		free(text);
		return ACL_ADDED;
	}
	if (*n >= most) {
		free(text);
		return reason_set(why, ACL_REFUSED, "more than %u %s patterns",
		    most, list == ACL_READ ? "read" : "write");
	}
	grown = reallocarray(*patterns, *n + 1, sizeof(*grown));
	if (!grown) {
		free(text);
		return -ENOMEM;
	}
	*patterns = grown;
	memmove(grown + at + 1, grown + at, (*n - at) * sizeof(*grown));
	grown[at] = text;
	++*n;
	return ACL_ADDED;
}

int
acl_add(struct acl *acl, enum acl_list list, struct slice pattern,
    struct reason *why)
{
	if (!topic_pattern_valid(pattern, why))
		return ACL_REFUSED;
	return acl_insert(acl, list, pattern, ACL_PATTERNS_MAX, why);
}

int
acl_join(struct acl *acl, const struct acl *more)
{
	int err = 0;

	for (unsigned i = 0; err == 0 && i < more->n_read; i++)
		err = acl_insert(
		    acl, ACL_READ, slice_cstr(more->read[i]), UINT32_MAX, NULL);
	for (unsigned i = 0; err == 0 && i < more->n_write; i++)
		err = acl_insert(acl, ACL_WRITE, slice_cstr(more->write[i]),
		    UINT32_MAX, NULL);
	return err;
}

static char **
acl_copy_list(char *const *from, unsigned n)
{
	char **to = calloc(n ? n : 1, sizeof(*to));

	for (unsigned i = 0; to && i < n; i++) {
		to[i] = strdup(from[i]);
		if (!to[i]) {
			acl_free_list(to, i);
			to = NULL;
		}
	}
	return to;
}

int
acl_copy(const struct acl *from, struct acl *to)
{
	struct acl copy = { .admin = from->admin };

	copy.read = acl_copy_list(from->read, from->n_read);
	copy.n_read = copy.read ? from->n_read : 0;
	copy.write = acl_copy_list(from->write, from->n_write);
	copy.n_write = copy.write ? from->n_write : 0;
	if (!copy.read || !copy.write) {
		acl_deinit(&copy);
		return -ENOMEM;
	}
	*to = copy;
	return 0;
}

static bool
acl_same_list(char *const *a, unsigned n_a, char *const *b, unsigned n_b)
{
	if (n_a != n_b)
		return false;
	for (unsigned i = 0; i < n_a; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

bool
acl_equal(const struct acl *a, const struct acl *b)
{
	return a->admin == b->admin &&
	       acl_same_list(a->read, a->n_read, b->read, b->n_read) &&
	       acl_same_list(a->write, a->n_write, b->write, b->n_write);
}

bool
acl_may_read(const struct acl *acl, struct slice topic)
{
	if (!acl->admin && topic_is_system(topic))
		return false;
	for (unsigned i = 0; i < acl->n_read; i++)
		if (topic_match(slice_cstr(acl->read[i]), topic))
			return true;
	return false;
}

bool
acl_may_write(const struct acl *acl, struct slice topic)
{
	if (topic_is_system(topic))
		return false;
	for (unsigned i = 0; i < acl->n_write; i++)
		if (topic_match(slice_cstr(acl->write[i]), topic))
			return true;
	return false;
}

bool
acl_pattern_readable(const struct acl *acl, struct slice pattern)
{
	if (!acl->admin && topic_is_system(pattern))
		return false;
	for (unsigned i = 0; i < acl->n_read; i++)
		if (topic_patterns_meet(slice_cstr(acl->read[i]), pattern))
			return true;
	return false;
}
