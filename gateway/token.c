/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Tokens.  The signature is checked before a claim is looked at, and no
 * sentence of this file quotes what a stranger has sent.
 */

#include <errno.h>
#include <string.h>

#include "core/conf.h"
#include "core/jsondoc.h"
#include "core/reason.h"
#include "core/sha256.h"
#include "core/topic.h"
#include "gateway/token.h"
#include "gateway/tokencache.h"
#include "gateway/tokenkey.h"

enum {
	KEYS_MAX = 32
};

struct token_keys {
	struct tokenkey *key[KEYS_MAX];
	unsigned n;
	char *audience; /* empty: none is asked for */
	char *issuer;
	struct tokencache *cache;
};

#define token_bad(why, ...) reason_set(why, TOKEN_BAD, __VA_ARGS__)

static int
token_expired(struct reason *why)
{
	return reason_set(why, TOKEN_EXPIRED, "the token has expired (exp)");
}

/* Cut the next word off *rest; false at the end. */
static bool
next_word(const char **rest, struct slice *word)
{
	*rest += strspn(*rest, " \t");
	*word = slice_of(*rest, strcspn(*rest, " \t"));
	*rest += word->len;
	return word->len > 0;
}

/* --- keys --- */

static const struct tokenkey *
token_find_key(const struct token_keys *keys, struct slice kid)
{
	for (unsigned i = 0; i < keys->n; i++)
		if (slice_is(kid, tokenkey_kid(keys->key[i])))
			return keys->key[i];
	return NULL;
}

static int
token_add_key(struct token_keys *keys, struct slice path, struct reason *why)
{
	CLEANUP(tokenkey_freep) struct tokenkey *key = NULL;
	CLEANUP(freep) char *name = strndup((const char *)path.p, path.len);
	int err;

	if (!name)
		return reason_set(why, -ENOMEM, "cannot load token keys");
	err = tokenkey_load(name, &key, why);
	if (err < 0)
		return err;
	if (token_find_key(keys, slice_cstr(tokenkey_kid(key)))) {
		(void)reason_set(why, 0,
		    "auth.keys has two keys of the name '%s'",
		    tokenkey_kid(key));
		return -EINVAL;
	}
	if (keys->n == KEYS_MAX) {
		(void)reason_set(
		    why, 0, "auth.keys has more than %d keys", KEYS_MAX);
		return -EINVAL;
	}
	keys->key[keys->n++] = TAKE(key);
	return 0;
}

int
token_keys_open(
    const struct conf *conf, struct token_keys **out, struct reason *why)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = calloc(1, sizeof(*keys));
	const char *rest = conf_text(conf, CONF_auth_keys);
	struct slice path;
	int err;

	if (!keys)
		return reason_set(why, -ENOMEM, "cannot load token keys");
	keys->audience = strdup(conf_text(conf, CONF_auth_audience));
	keys->issuer = strdup(conf_text(conf, CONF_auth_issuer));
	keys->cache = tokencache_new();
	if (!keys->audience || !keys->issuer || !keys->cache)
		return reason_set(why, -ENOMEM, "cannot load token keys");
	while (next_word(&rest, &path)) {
		err = token_add_key(keys, path, why);
		if (err < 0) {
			(void)reason_set(why, 0, "auth.keys: %s", why->text);
			return err;
		}
	}
	*out = TAKE(keys);
	return 0;
}

struct token_keys *
token_keys_free(struct token_keys *keys)
{
	if (!keys)
		return NULL;
	for (unsigned i = 0; i < keys->n; i++)
		(void)tokenkey_free(keys->key[i]);
	(void)tokencache_free(keys->cache);
	free(keys->audience);
	free(keys->issuer);
	free(keys);
	return NULL;
}

/* --- the three parts --- */

static int
base64url_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/*
 * RFC 4648, 5, without padding; bits that no byte takes must be zero, so
 * that every token has one spelling.  out has room for text.len bytes.
 */
static bool
base64url_decode(struct slice text, uint8_t *out, struct slice *bytes)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t n = 0;

	if (text.len % 4 == 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int digit = base64url_digit(text.p[i]);

		if (digit < 0)
			return false;
		acc = acc << 6 | (unsigned)digit;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		out[n++] = (uint8_t)(acc >> bits);
		acc &= (1U << bits) - 1;
	}
	*bytes = slice_of(out, n);
	return acc == 0;
}

/* Of at most TOKEN_MAX bytes. */
struct token_parts {
	struct slice header, claims, sig;
	struct slice text; /* what is signed */
	uint8_t room[TOKEN_MAX];
};

static int
token_split(struct slice jwt, struct token_parts *parts, struct reason *why)
{
	struct slice *to[] = { &parts->header, &parts->claims, &parts->sig };
	uint8_t *room = parts->room;
	struct slice rest = jwt;

	for (unsigned i = 0; i < 3; i++) {
		const uint8_t *dot =
		    rest.len ? memchr(rest.p, '.', rest.len) : NULL;
		struct slice part = rest;

		if ((i < 2) != (dot != NULL))
			return token_bad(why, "the token has not three parts");
		if (dot)
			part.len = (size_t)(dot - rest.p);
		if (part.len == 0 || !base64url_decode(part, room, to[i]))
			return token_bad(why,
			    "part %u of the token is not base64url", i + 1);
		room += to[i]->len;
		if (i == 1)
			parts->text = slice_of(
			    jwt.p, (size_t)(part.p + part.len - jwt.p));
		if (dot)
			rest = slice_of(dot + 1, rest.len - part.len - 1);
	}
	return TOKEN_GOOD;
}

/* TOKEN_GOOD: *key is the one that the header names. */
static int
token_header(const struct token_keys *keys, const struct jsondoc_value *head,
    const struct tokenkey **key, struct reason *why)
{
	const struct jsondoc_value *kid = jsondoc_get(head, "kid");
	struct slice name, alg;

	if (keys->n == 0)
		return token_bad(why, "no token key is configured");
	if (jsondoc_get(head, "crit"))
		return token_bad(why, "the token's header has crit");
	if (!kid && keys->n > 1)
		return token_bad(
		    why, "the token has no kid, and there are several keys");
	if (!kid)
		*key = keys->key[0];
	else if (!jsondoc_string(kid, &name))
		return token_bad(why, "the token's kid is not a string");
	else
		*key = token_find_key(keys, name);
	if (!*key)
		return token_bad(why, "there is no key of the token's kid");
	if (!jsondoc_string(jsondoc_get(head, "alg"), &alg))
		return token_bad(why, "the token has no alg that is a string");
	if (!slice_is(alg, tokenkey_alg(*key)))
		return token_bad(why,
		    "the token's alg is not %s, the one of key '%s'",
		    tokenkey_alg(*key), tokenkey_kid(*key));
	return TOKEN_GOOD;
}

/* --- claims --- */

static bool
token_has_expired(const struct token *token, uint64_t now_s)
{
	return now_s >= TOKEN_LEEWAY_S &&
	       token->expires_s <= now_s - TOKEN_LEEWAY_S;
}

static int
token_times(const struct jsondoc_value *claims, uint64_t now_s,
    struct token *token, struct reason *why)
{
	const struct jsondoc_value *nbf = jsondoc_get(claims, "nbf");
	uint64_t from = 0;

	if (!jsondoc_uint(jsondoc_get(claims, "exp"), &token->expires_s))
		return token_bad(
		    why, "the token has no exp that is an integer");
	if (!jsondoc_uint(jsondoc_get(claims, "iat"), &token->issued_s))
		return token_bad(
		    why, "the token has no iat that is an integer");
	if (nbf && !jsondoc_uint(nbf, &from))
		return token_bad(why, "the token's nbf is not an integer");
	if (token->issued_s > now_s + TOKEN_LEEWAY_S)
		return token_bad(why,
		    "the token is issued (iat) in the future, by our clock");
	if (from > now_s + TOKEN_LEEWAY_S)
		return token_bad(why, "the token is not valid yet (nbf)");
	if (token_has_expired(token, now_s))
		return token_expired(why);
	return TOKEN_GOOD;
}

static bool
token_names(const struct jsondoc_value *claim, const char *wanted)
{
	struct slice s;
	size_t n;

	if (jsondoc_string(claim, &s))
		return slice_is(s, wanted);
	if (!jsondoc_array(claim, &n))
		return false;
	for (size_t i = 0; i < n; i++)
		if (jsondoc_string(jsondoc_at(claim, i), &s) &&
		    slice_is(s, wanted))
			return true;
	return false;
}

static int
token_parties(const struct token_keys *keys, const struct jsondoc_value *claims,
    struct token *token, struct reason *why)
{
	const struct jsondoc_value *iss = jsondoc_get(claims, "iss");
	struct slice s;

	if (!jsondoc_string(jsondoc_get(claims, "sub"), &s))
		return token_bad(why, "the token has no sub that is a string");
	if (s.len == 0 || s.len > TOKEN_SUB_MAX)
		return token_bad(why,
		    "the token's sub has %zu bytes, not 1 to %d", s.len,
		    TOKEN_SUB_MAX);
	if (!topic_actor_valid(s, NULL))
		return token_bad(why, "the token's sub can't be an actor");
	memcpy(token->sub, s.p, s.len);
	token->sub[s.len] = '\0';
	if (*keys->audience &&
	    !token_names(jsondoc_get(claims, "aud"), keys->audience))
		return token_bad(
		    why, "the token is for another audience (aud)");
	if (*keys->issuer &&
	    (!jsondoc_string(iss, &s) || !slice_is(s, keys->issuer)))
		return token_bad(why, "the token is of another issuer (iss)");
	return TOKEN_GOOD;
}

/* Put the escaped user in place of each {sub}; false when it is too long. */
static bool
token_fill_in(struct slice pattern, const char *user, char out[TOPIC_MAX + 1],
    struct slice *filled)
{
	static const char hole[] = "{sub}";
	size_t user_len = strlen(user), n = 0;

	for (size_t i = 0; i < pattern.len;) {
		bool here = pattern.len - i >= sizeof(hole) - 1 &&
			    !memcmp(pattern.p + i, hole, sizeof(hole) - 1);
		const void *from = here ? (const void *)user : pattern.p + i;
		size_t len = here ? user_len : 1;

		if (n + len > TOPIC_MAX)
			return false;
		memcpy(out + n, from, len);
		n += len;
		i += here ? sizeof(hole) - 1 : 1;
	}
	*filled = slice_of(out, n);
	return true;
}

static int
token_patterns(const struct jsondoc_value *claim, const char *name,
    enum acl_list list, struct token *token, struct reason *why)
{
	const struct jsondoc_value *v = jsondoc_get(claim, name);
	char user[TOPIC_ESCAPED_MAX + 1];
	char room[TOPIC_MAX + 1];
	struct slice s;
	size_t n;
	int err;

	if (!v)
		return TOKEN_GOOD;
	if (!jsondoc_array(v, &n))
		return token_bad(
		    why, "peal.%s of the token is not an array", name);
	if (n > ACL_PATTERNS_MAX)
		return token_bad(why,
		    "peal.%s of the token has %zu patterns, "
		    "more than %d",
		    name, n, ACL_PATTERNS_MAX);
	(void)topic_escape(slice_cstr(token->sub), user);
	for (size_t i = 0; i < n; i++) {
		if (!jsondoc_string(jsondoc_at(v, i), &s) ||
		    !token_fill_in(s, user, room, &s))
			return token_bad(why,
			    "peal.%s[%zu] of the token is not a pattern", name,
			    i);
		err = acl_add(&token->acl, list, s, NULL);
		if (err < 0)
			return err;
		if (err != ACL_ADDED)
			return token_bad(why,
			    "peal.%s[%zu] of the token is not a pattern", name,
			    i);
	}
	return TOKEN_GOOD;
}

static int
token_rights(
    const struct jsondoc_value *claims, struct token *token, struct reason *why)
{
	const struct jsondoc_value *peal = jsondoc_get(claims, "peal");
	const struct jsondoc_value *admin = jsondoc_get(peal, "admin");
	int err;

	if (!peal)
		return TOKEN_GOOD;
	if (!jsondoc_is_object(peal))
		return token_bad(why, "the token's peal is not an object");
	if (admin && !jsondoc_bool(admin, &token->acl.admin))
		return token_bad(why, "peal.admin of the token is not a bool");
	err = token_patterns(peal, "read", ACL_READ, token, why);
	if (err != TOKEN_GOOD)
		return err;
	return token_patterns(peal, "write", ACL_WRITE, token, why);
}

/* --- the whole --- */

static int
token_json(struct slice text, const char *part, struct jsondoc **doc,
    struct reason *why)
{
	struct reason detail = { "" };
	int err = jsondoc_parse(text, doc, &detail);

	if (err == 0 || err == -ENOMEM)
		return err;
	return token_bad(why, "the token's %s is %s", part, detail.text);
}

static int
token_check(const struct token_keys *keys, const struct token_parts *parts,
    uint64_t now_s, struct token *token, struct reason *why)
{
	CLEANUP(jsondoc_freep) struct jsondoc *head = NULL;
	CLEANUP(jsondoc_freep) struct jsondoc *body = NULL;
	const struct jsondoc_value *claims;
	const struct tokenkey *key = NULL;
	int err;

	err = token_json(parts->header, "header", &head, why);
	if (err)
		return err;
	err = token_header(keys, jsondoc_root(head), &key, why);
	if (err)
		return err;
	if (!tokenkey_verify(key, parts->text, parts->sig))
		return token_bad(why,
		    "the token's signature is not of key '%s'",
		    tokenkey_kid(key));
	err = token_json(parts->claims, "body", &body, why);
	if (err)
		return err;
	claims = jsondoc_root(body);
	err = token_times(claims, now_s, token, why);
	if (err)
		return err;
	err = token_parties(keys, claims, token, why);
	if (err)
		return err;
	return token_rights(claims, token, why);
}

/* What is not remembered. */
static int
token_verify_anew(const struct token_keys *keys, struct slice jwt,
    uint64_t now_s, struct token *token, struct reason *why)
{
	struct token_parts parts = { .room = { 0 } };
	int err = token_split(jwt, &parts, why);

	if (err)
		return err;
	err = token_check(keys, &parts, now_s, token, why);
	if (err)
		token_deinit(token);
	return err;
}

int
token_verify(struct token_keys *keys, struct slice jwt, uint64_t now_s,
    struct token *out, struct reason *why)
{
	struct token token = { .sub = "" };
	uint8_t hash[SHA256_BYTES];
	const struct token *known;
	int err;

	if (jwt.len > TOKEN_MAX)
		return token_bad(why, "the token has %zu bytes, more than %d",
		    jwt.len, TOKEN_MAX);
	sha256(jwt.p, jwt.len, hash);
	known = tokencache_find(keys->cache, hash);
	if (known && token_has_expired(known, now_s))
		return token_expired(why);
	if (known)
		return token_copy(known, out);
	err = token_verify_anew(keys, jwt, now_s, &token, why);
	if (err)
		return err;
	tokencache_put(keys->cache, hash, &token);
	*out = token;
	return TOKEN_GOOD;
}

int
token_copy(const struct token *from, struct token *to)
{
	struct token copy = *from;
	int err = acl_copy(&from->acl, &copy.acl);

	if (err == 0)
		*to = copy;
	return err;
}

void
token_deinit(struct token *token)
{
	acl_deinit(&token->acl);
	*token = (struct token){ .sub = "" };
}

int
token_anonymous(const struct conf *conf, struct acl *out, struct reason *why)
{
	const char *rest = conf_text(conf, CONF_auth_anonymous_read);
	struct reason detail = { "" };
	struct acl acl = { 0 };
	struct slice pattern;
	int err = ACL_ADDED;

	while (err == ACL_ADDED && next_word(&rest, &pattern))
		err = acl_add(&acl, ACL_READ, pattern, &detail);
	if (err == ACL_ADDED) {
		*out = acl;
		return 0;
	}
	acl_deinit(&acl);
	if (err < 0)
		return err;
	(void)reason_set(why, 0, "auth.anonymous_read: %s", detail.text);
	return -EINVAL;
}
