/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Records of TLS 1.3 (RFC 8446, 5): received in large pieces, opened in place
 * one by one.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "core/reason.h"
#include "tools/refuse.h"
#include "tools/tls_brief_priv.h"

static void
brief_nonce(const struct brief_keys *k, uint8_t nonce[BRIEF_IV])
{
	memcpy(nonce, k->iv, BRIEF_IV);
	for (unsigned i = 0; i < 8; i++)
		nonce[BRIEF_IV - 1 - i] ^= (uint8_t)(k->n >> (8 * i));
}

static void
brief_head(uint8_t head[BRIEF_RECORD_HEAD], enum brief_content type, size_t len)
{
	head[0] = (uint8_t)type;
	head[1] = head[2] = 3;
	head[3] = (uint8_t)(len >> 8);
	head[4] = (uint8_t)len;
}

/* --- out --- */

static int
brief_seal(
    struct tls_brief *b, enum brief_content type, const void *p, size_t len)
{
	size_t whole = len + 1 + BRIEF_TAG;
	uint8_t *to = mp_buf_reserve(&b->wire, BRIEF_RECORD_HEAD + whole);
	uint8_t nonce[BRIEF_IV], last = (uint8_t)type;
	EVP_CIPHER_CTX *ctx = b->out.ctx;
	int n = 0, ok;

	if (!to)
		return -ENOMEM;
	brief_head(to, BRIEF_DATA, whole);
	brief_nonce(&b->out, nonce);
	ok = EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, 1, NULL) == 1 &&
	     EVP_CipherUpdate(ctx, NULL, &n, to, BRIEF_RECORD_HEAD) == 1 &&
	     EVP_CipherUpdate(ctx, to + BRIEF_RECORD_HEAD, &n, p, (int)len) ==
		 1 &&
	     EVP_CipherUpdate(
		 ctx, to + BRIEF_RECORD_HEAD + len, &n, &last, 1) == 1 &&
	     EVP_CipherFinal_ex(ctx, to + BRIEF_RECORD_HEAD + len + 1, &n) ==
		 1 &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, BRIEF_TAG,
		 to + BRIEF_RECORD_HEAD + len + 1) == 1;
	if (!ok)
		return -ENOMEM;
	b->wire.len += BRIEF_RECORD_HEAD + whole;
	b->out.n++;
	return 0;
}

int
brief_record_put(
    struct tls_brief *b, enum brief_content type, const void *p, size_t len)
{
	uint8_t head[BRIEF_RECORD_HEAD];

	if (b->out.ctx)
		return brief_seal(b, type, p, len);
	brief_head(head, type, len);
	mp_buf_bytes(&b->wire, head, sizeof(head));
	mp_buf_bytes(&b->wire, p, len);
	return b->wire.failed ? -ENOMEM : 0;
}

int
tls_brief_write(struct tls_brief *b, const void *p, size_t len)
{
	const uint8_t *from = p;
	int err = 0;

	while (len && err >= 0) {
		size_t n = MIN(len, (size_t)TLS_BRIEF_RECORD);

		err = brief_record_put(b, BRIEF_DATA, from, n);
		from += n;
		len -= n;
	}
	return err;
}

int
tls_brief_flush(struct tls_brief *b, struct reason *why)
{
	ssize_t n;

	while (b->sent < b->wire.len) {
		n = send(b->fd, b->wire.p + b->sent, b->wire.len - b->sent,
		    MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return TLS_BRIEF_AGAIN;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return TLS_BRIEF_CLOSED;
		if (n < 0)
			return reason_set(why, -errno, "cannot send over TLS");
		b->sent += (size_t)n;
	}
	mp_buf_deinit(&b->wire);
	b->wire = (struct mp_buf){ 0 };
	b->sent = 0;
	return TLS_BRIEF_DONE;
}

/* --- in --- */

/* Bytes of the record at the head of the view, or 0 while it is not known. */
static size_t
brief_record_bytes(const struct tls_brief *b)
{
	if (b->view.len < BRIEF_RECORD_HEAD)
		return 0;
	return BRIEF_RECORD_HEAD +
	       ((size_t)b->view.p[3] << 8 | (size_t)b->view.p[4]);
}

bool
tls_brief_pending(const struct tls_brief *b)
{
	size_t bytes = brief_record_bytes(b);

	return bytes && b->view.len >= bytes;
}

static bool
brief_in_chunk(const struct tls_brief *b)
{
	return b->view.len && b->view.p >= b->t->chunk &&
	       b->view.p < b->t->chunk + BRIEF_CHUNK;
}

int
brief_record_settle(struct tls_brief *b, struct reason *why)
{
	if (b->view.len == 0) {
		mp_buf_deinit(&b->raw);
		b->raw = (struct mp_buf){ 0 };
		b->view = slice_of(NULL, 0);
		return 0;
	}
	if (!brief_in_chunk(b))
		return 0;
	b->raw.len = 0;
	mp_buf_bytes(&b->raw, b->view.p, b->view.len);
	b->view = slice_of(b->raw.p, b->raw.len);
	return b->raw.failed ? reason_set(why, -ENOMEM, "cannot receive") : 0;
}

/* Receive once, behind what is in the view. */
static int
brief_receive(struct tls_brief *b, struct reason *why)
{
	uint8_t *to = b->t->chunk;
	size_t size = BRIEF_CHUNK;
	bool behind = b->view.len > 0;
	ssize_t n;

	if (behind) {
		if (brief_record_settle(b, why) < 0)
			return -ENOMEM;
		memmove(b->raw.p, b->view.p, b->view.len);
		b->raw.len = b->view.len;
		to = mp_buf_reserve(&b->raw, size);
		if (!to)
			return reason_set(why, -ENOMEM, "cannot receive");
		b->view.p = b->raw.p;
	}
	do {
		n = recv(b->fd, to, size, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return TLS_BRIEF_AGAIN;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return TLS_BRIEF_CLOSED;
	if (n < 0)
		return reason_set(why, -errno, "cannot receive over TLS");
	if (behind)
		b->raw.len += (size_t)n;
	else
		b->view.p = to;
	b->view.len += (size_t)n;
	return TLS_BRIEF_DONE;
}

/* Open a record in place: its content, without padding and type. */
static int
brief_open(struct tls_brief *b, const uint8_t *record, size_t len,
    enum brief_content *type, struct slice *content, struct reason *why)
{
	uint8_t *body = (uint8_t *)(uintptr_t)record + BRIEF_RECORD_HEAD;
	EVP_CIPHER_CTX *ctx = b->in.ctx;
	uint8_t nonce[BRIEF_IV];
	int n = 0, rest = 0, ok;

	if (len < 1 + BRIEF_TAG)
		return REFUSE(why, "the server's record is too short");
	len -= BRIEF_TAG;
	brief_nonce(&b->in, nonce);
	ok = EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, 0, NULL) == 1 &&
	     EVP_CipherUpdate(ctx, NULL, &n, record, BRIEF_RECORD_HEAD) == 1 &&
	     EVP_CipherUpdate(ctx, body, &n, body, (int)len) == 1 &&
	     EVP_CIPHER_CTX_ctrl(
		 ctx, EVP_CTRL_AEAD_SET_TAG, BRIEF_TAG, body + len) == 1 &&
	     EVP_CipherFinal_ex(ctx, body + len, &rest) == 1;
	if (!ok)
		return REFUSE(
		    why, "the server's record was changed on its way");
	b->in.n++;
	while (len && body[len - 1] == 0)
		len--;
	if (len == 0)
		return REFUSE(why, "the server's record is of no type");
	*type = body[len - 1];
	*content = slice_of(body, len - 1);
	return 0;
}

int
brief_record_next(struct tls_brief *b, enum brief_content *type,
    struct slice *content, struct reason *why)
{
	const uint8_t *record;
	size_t bytes;
	int io;

	while (!tls_brief_pending(b)) {
		if (brief_record_bytes(b) >
		    BRIEF_RECORD_HEAD + BRIEF_RECORD_MAX)
			return REFUSE(why, "the server's record is too long");
		io = brief_receive(b, why);
		if (io == TLS_BRIEF_AGAIN && brief_record_settle(b, why) < 0)
			return -ENOMEM;
		if (io != TLS_BRIEF_DONE)
			return io;
	}
	bytes = brief_record_bytes(b);
	if (bytes > BRIEF_RECORD_HEAD + BRIEF_RECORD_MAX)
		return REFUSE(why, "the server's record is too long");
	record = b->view.p;
	b->view.p += bytes;
	b->view.len -= bytes;
	*type = record[0];
	*content =
	    slice_of(record + BRIEF_RECORD_HEAD, bytes - BRIEF_RECORD_HEAD);
	if (!b->in.ctx || *type == BRIEF_CHANGE_CIPHER_SPEC)
		return TLS_BRIEF_DONE;
	if (*type != BRIEF_DATA)
		return REFUSE(why, "the server's record is not encrypted");
	io = brief_open(b, record, content->len, type, content, why);
	return io < 0 ? io : TLS_BRIEF_DONE;
}
