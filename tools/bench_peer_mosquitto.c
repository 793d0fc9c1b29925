/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * mosquitto: MQTT 3.1.1 with QoS 0 in binary WebSocket messages, of which
 * each may hold several packets or a part of one.
 */

#include <stdio.h>
#include <string.h>

#include "core/mp.h"
#include "core/reason.h"
#include "tools/bench_peer.h"

enum {
	MQTT_CONNACK = 0x20,
	MQTT_PUBLISH = 0x30,
	MQTT_SUBACK = 0x90,
};

static const uint8_t mqtt_topic[] = { 0, 5, 'b', 'e', 'n', 'c', 'h' };

static void
mqtt_configure(const struct bench_peer *p, char *conf, size_t size)
{
	snprintf(conf, size,
	    "user root\npersistence false\nlog_dest none\nset_tcp_nodelay true\n"
	    "max_queued_messages 0\nmax_inflight_messages 0\n"
	    "allow_anonymous true\nper_listener_settings false\n"
	    "listener %u 127.0.0.1\nprotocol mqtt\n"
	    "listener %u 127.0.0.1\nprotocol websockets\n"
	    "certfile %s\nkeyfile %s\ntls_version tlsv1.3\n",
	    p->plain, p->port, p->cert, p->key);
}

/* CONNECT: a clean session without a name, no keep-alive. */
static void
mqtt_hello(struct mp_buf *out)
{
	static const uint8_t packet[] = { 0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4,
		2, 0, 0, 0, 0 };

	mp_buf_bytes(out, packet, sizeof(packet));
}

static void
mqtt_subscribe(struct mp_buf *out)
{
	static const uint8_t head[] = { 0x82, 2 + sizeof(mqtt_topic) + 1, 0,
		1 };

	mp_buf_bytes(out, head, sizeof(head));
	mp_buf_bytes(out, mqtt_topic, sizeof(mqtt_topic));
	mp_buf_bytes(out, "", 1);
}

static void
mqtt_publish(struct mp_buf *out, struct slice payload)
{
	size_t left = sizeof(mqtt_topic) + payload.len;
	uint8_t head[5] = { MQTT_PUBLISH };
	size_t n = 1;

	do {
		head[n] = left & 0x7f;
		left >>= 7;
		head[n++] |= left ? 0x80 : 0;
	} while (left);
	mp_buf_bytes(out, head, n);
	mp_buf_bytes(out, mqtt_topic, sizeof(mqtt_topic));
	mp_buf_bytes(out, payload.p, payload.len);
}

static enum peer_kind
mqtt_parse(struct slice in, struct peer_item *item)
{
	size_t len = 0, at = 1;
	unsigned shift = 0;

	do {
		if (at >= in.len || shift > 21)
			return PEER_PARTIAL;
		len |= (size_t)(in.p[at] & 0x7f) << shift;
		shift += 7;
	} while (in.p[at++] & 0x80);
	if (in.len - at < len)
		return PEER_PARTIAL;
	item->len = at + len;
	switch (in.p[0] & 0xf0) {
	case MQTT_CONNACK:
		return PEER_ACCEPTED;
	case MQTT_SUBACK:
		return PEER_READY;
	case MQTT_PUBLISH:
		if (len < sizeof(mqtt_topic))
			return PEER_NOTHING;
		item->payload = slice_of(
		    in.p + at + sizeof(mqtt_topic), len - sizeof(mqtt_topic));
		return PEER_EVENT;
	default:
		return PEER_NOTHING;
	}
}

static const char *const mqtt_argv[] = { "-c", "%s/conf", NULL };

const struct bench_peer_kind bench_peer_mosquitto = {
	.name = "mosquitto",
	.program = "mosquitto",
	.configure = mqtt_configure,
	.argv = mqtt_argv,
	.path = "/mqtt",
	.subprotocol = "mqtt",
	.hello = mqtt_hello,
	.subscribe = mqtt_subscribe,
	.greet = mqtt_hello,
	.publish = mqtt_publish,
	.parse = mqtt_parse,
};
