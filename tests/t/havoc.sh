#!/bin/sh
# Writer, broker and gateways are killed, stopped, ended and started again at
# random, in any order, while producers contend for the same topics, clients
# follow, and the oldest segments go: nothing that was answered is lost, nothing
# is there twice, in another order, or from nowhere, and no client misses
# anything unannounced.  At the end log, state and clients are the same.
# tests/lib/havoc.sh names the sizes.
. "$(dirname "$0")/../lib/house.sh"
. "$(dirname "$0")/../lib/havoc.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
havoc_house -o log.keep_bytes=24M -o log.pack=no
keep_all
havoc_begin
passes 'the oldest segments go in the middle of it' \
    await test -e "$data/log/FLOOR"
havoc_judge
house_up --gateways 1
passes 'and so is the state of who starts then' \
    verified --data "$data"
passes 'told to stop, all of it ends' house_down
plan $count
