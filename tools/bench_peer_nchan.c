/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * nginx with nchan: a POST for each event, a WebSocket message for each
 * delivery.  One process, so that all of it is one process's CPU.
 */

#include <stdio.h>
#include <string.h>

#include "core/mp.h"
#include "tools/bench_peer.h"

static void
nchan_configure(const struct bench_peer *p, char *conf, size_t size)
{
	snprintf(conf, size,
	    "load_module /usr/lib/nginx/modules/ngx_nchan_module.so;\n"
	    "user root;\ndaemon off;\nmaster_process off;\n"
	    "pid %1$s/pid;\nerror_log %1$s/error.log error;\n"
	    "worker_rlimit_nofile 20000;\n"
	    "events { worker_connections 20000; }\n"
	    "http {\n access_log off;\n keepalive_requests 1000000000;\n"
	    " client_body_temp_path %1$s/body;\n proxy_temp_path %1$s/proxy;\n"
	    " fastcgi_temp_path %1$s/fcgi;\n uwsgi_temp_path %1$s/uwsgi;\n"
	    " scgi_temp_path %1$s/scgi;\n"
	    " nchan_shared_memory_size 256m;\n\n"
	    " nchan_message_buffer_length 8192;\n nchan_message_timeout 60s;\n"
	    " server {\n  listen 127.0.0.1:%2$u ssl backlog=4096;\n"
	    "  ssl_certificate %4$s;\n  ssl_certificate_key %5$s;\n"
	    "  ssl_protocols TLSv1.3;\n  ssl_session_tickets off;\n"
	    "  ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;\n"
	    "  location = /sub { nchan_subscriber websocket;\n"
	    "   nchan_channel_id bench;\n"
	    "   nchan_subscriber_first_message newest; }\n }\n"
	    " server {\n  listen 127.0.0.1:%3$u;\n"
	    "  location = /pub { nchan_publisher; nchan_channel_id bench; }\n"
	    " }\n}\n",
	    p->dir, p->port, p->plain, p->cert, p->key);
}

static void
nchan_publish(struct mp_buf *out, struct slice payload)
{
	char head[160];
	int len = snprintf(head, sizeof(head),
	    "POST /pub HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
	    payload.len);

	mp_buf_bytes(out, head, (size_t)len);
	mp_buf_bytes(out, payload.p, payload.len);
}

static enum peer_kind
nchan_parse(struct slice in, struct peer_item *item)
{
	item->len = in.len;
	item->payload = in;
	return PEER_EVENT;
}

static const char *const nchan_argv[] = { "-p", "%s", "-c", "%s/conf", NULL };

const struct bench_peer_kind bench_peer_nchan = {
	.name = "nchan",
	.program = "nginx",
	.configure = nchan_configure,
	.argv = nchan_argv,
	.path = "/sub",
	.text = true,
	.publish = nchan_publish,
	.published = "HTTP/1.1 20",
	.parse = nchan_parse,
};
