#!/bin/sh
# Hostile producers against the real writer: it refuses, and serves on.
. "$(dirname "$0")/../lib/house.sh"

[ -x "$programs/hostile_socket" ] || skip_all 'built without cmocka'
house_writer
PEAL_SOCKET=$data/run/writer.sock CMOCKA_MESSAGE_OUTPUT=TAP
export PEAL_SOCKET CMOCKA_MESSAGE_OUTPUT
"$programs/hostile_socket" >"$work/said" 2>&1
count_group socket "$work/said"
passes 'the writer that was there at first still serves' kill -0 "$writer"
kill -TERM "$writer"
ends "$writer"
passes 'and ends when told to' [ "$status" -eq 0 ]
plan $count
