/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The tables of stats_defs.h as data.  Names, units and texts fit into their
 * fields, or this does not compile.
 */

#include "shm/stats.h"

#define FITS(name_, unit_, text_)                                              \
	_Static_assert(                                                        \
	    sizeof(name_) <= 32 && sizeof(unit_) <= 16 && sizeof(text_) <= 64, \
	    "too long: " name_);
#define STATS_WRITER(name, kind, unit, text)  FITS(#name, unit, text)
#define STATS_WRITER_HIST(name, unit, text)   FITS(#name, unit, text)
#define STATS_BROKER(name, kind, unit, text)  FITS(#name, unit, text)
#define STATS_BROKER_HIST(name, unit, text)   FITS(#name, unit, text)
#define STATS_GATEWAY(name, kind, unit, text) FITS(#name, unit, text)
#define STATS_GATEWAY_HIST(name, unit, text)  FITS(#name, unit, text)
#include "shm/stats_defs.h"

static const struct stats_def writer_defs[] = {
#define STATS_WRITER(name, kind, unit, text) \
	{ #name, unit, text, STATS_##kind },
#include "shm/stats_defs.h"
};

static const struct stats_def writer_hists[] = {
#define STATS_WRITER_HIST(name, unit, text) \
	{ #name, unit, text, STATS_HISTOGRAM },
#include "shm/stats_defs.h"
};

const struct stats_table stats_writer_table = {
	.process = "writer",
	.defs = writer_defs,
	.n = ARRAY_LEN(writer_defs),
	.hists = writer_hists,
	.n_hists = ARRAY_LEN(writer_hists),
};

static const struct stats_def broker_defs[] = {
#define STATS_BROKER(name, kind, unit, text) \
	{ #name, unit, text, STATS_##kind },
#include "shm/stats_defs.h"
};

static const struct stats_def broker_hists[] = {
#define STATS_BROKER_HIST(name, unit, text) \
	{ #name, unit, text, STATS_HISTOGRAM },
#include "shm/stats_defs.h"
};

const struct stats_table stats_broker_table = {
	.process = "broker",
	.defs = broker_defs,
	.n = ARRAY_LEN(broker_defs),
	.hists = broker_hists,
	.n_hists = ARRAY_LEN(broker_hists),
};

static const struct stats_def gateway_defs[] = {
#define STATS_GATEWAY(name, kind, unit, text) \
	{ #name, unit, text, STATS_##kind },
#include "shm/stats_defs.h"
};

static const struct stats_def gateway_hists[] = {
#define STATS_GATEWAY_HIST(name, unit, text) \
	{ #name, unit, text, STATS_HISTOGRAM },
#include "shm/stats_defs.h"
};

const struct stats_table stats_gateway_table = {
	.process = "gateway",
	.defs = gateway_defs,
	.n = ARRAY_LEN(gateway_defs),
	.hists = gateway_hists,
	.n_hists = ARRAY_LEN(gateway_hists),
};

const char *
stats_counts(const struct stats_item *item)
{
	return item->kind == STATS_HISTOGRAM ? "values" : item->unit;
}

const char *
stats_kind_name(enum stats_kind kind)
{
	static const char *const names[] = {
		[STATS_COUNTER] = "counter",
		[STATS_GAUGE] = "gauge",
		[STATS_HISTOGRAM] = "histogram",
	};

	return names[kind];
}
