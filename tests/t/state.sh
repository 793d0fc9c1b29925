#!/bin/sh
# What the broker makes of a file is what a fold in another language makes of
# it: now, at past seqs and times, topic by topic and actor by actor.
# PEAL_EVENTS names another file.
. "$(dirname "$0")/../lib/house.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
cp "${PEAL_EVENTS:-$sample}" "$work/events.jsonl"

lines=$(wc -l <"$work/events.jsonl")

# asked NAME [OPTION...]: the group of questions, all of them.
asked() {
	group=$1
	shift
	await "$peal" state --data "$data" --min-seq "$lines" 'nothing.>' "$@" \
	    >"$work/out" 2>&1 || sed 's/^/# /' "$work/out"
	status=0
	python3 "$top_srcdir/tests/t/state.py" "$peal" "$data" \
	    "$work/events.jsonl" "$@" >"$work/asked" 2>"$work/asked.err" ||
		status=$?
	count_group "$group" "$work/asked"
	sed 's/^/# /' "$work/asked.err"
	verdict "$group: all was asked, and answered right" "$status"
}

house_up --gateways 1
passes 'a file is imported' "$peal" import --data "$data" "$work/events.jsonl"
asked 'live'
asked 'through a gateway' --url "https://127.0.0.1:$port"
passes 'told to stop, all of it ends' house_down
house_up --gateways 1
asked 'started again'
passes 'told to stop, all of it ends again' house_down
rm -rf "$data/broker"
house_up --gateways 1
asked 'rebuilt'
passes 'told to stop, all of it ends for good' house_down
plan $count
