/* SPDX-License-Identifier: BSD-2-Clause */

/* Past. */

#include "broker/query_priv.h"

enum proto_code
past_snapshot(struct query *q, const struct proto_request *req,
    const struct topic_set *set, struct spool **out, struct query_refusal *no)
{
	return query_refuse(no, PROTO_UNAVAILABLE, "no past");
}
