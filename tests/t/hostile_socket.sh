#!/bin/sh
# Hostile producers against the real writer: it refuses, and serves on.
. "$(dirname "$0")/../lib/house.sh"

[ -x "$programs/hostile_socket" ] || skip_all 'built without cmocka'
house_writer
PEAL_SOCKET=$data/run/writer.sock CMOCKA_MESSAGE_OUTPUT=TAP
export PEAL_SOCKET CMOCKA_MESSAGE_OUTPUT
run_group socket "$programs/hostile_socket"
passes 'the writer that was there at first still serves' kill -0 "$writer"
kill -TERM "$writer"
ends "$writer"
passes 'and ends when told to' [ "$status" -eq 0 ]
plan $count
