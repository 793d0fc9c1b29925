# SPDX-License-Identifier: BSD-2-Clause
"""stream.py last BODY: the last id of a stream of Server-Sent Events, as a browser
would send it.

stream.py judge EVENTS AFTER UPTO BODY...: several bodies, each of which went on from
the last id of the one before, are one unbroken chain from AFTER to UPTO, and hold
what EVENTS (JSON lines of the whole log) has there, once, in order."""

import json
import sys


def messages(path):
    """The whole messages of a body: [name, id, data]."""
    with open(path, encoding="utf-8", newline="") as f:
        body = f.read()
    for block in body.split("\n\n")[:-1]:
        name, last, data = "message", None, []
        for line in block.split("\n"):
            field, _, value = line.partition(": ")
            if field == "id":
                last = value
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
            else:
                raise ValueError(f"a line that is none: {line[:80]}")
        if len(data) != 1:
            raise ValueError(f"a message of {len(data)} lines of data")
        yield name, last, json.loads(data[0])


def last_id(path):
    found = None
    for _, last, _ in messages(path):
        found = last or found
    if not found:
        raise ValueError("no id")
    return found


def judge(events, after, upto, bodies):
    with open(events, encoding="utf-8") as f:
        log = [json.loads(line) for line in f]
    want = [e for e in log if after < e[0] <= upto]
    got, position, logs = [], after, set()
    for path in bodies:
        for name, last, batch in messages(path):
            if name != "message":
                raise ValueError(f"an event '{name}'")
            if batch[0] != position:
                raise ValueError(f"after {batch[0]}, not {position}")
            position = batch[1]
            log_name, _, seq = last.rpartition(":")
            logs.add(log_name)
            if int(seq) != position:
                raise ValueError(f"id {last} of a batch up to {position}")
            got += batch[2:]
    if len(logs) != 1:
        raise ValueError(f"ids of {len(logs)} logs")
    if position < upto:
        raise ValueError(f"only up to {position}, not {upto}")
    got = [e for e in got if e[0] <= upto]
    if got != want:
        at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b),
                  min(len(got), len(want)))
        raise ValueError(f"{len(got)} events, not {len(want)}, or others "
                         f"from number {at} on")


try:
    if sys.argv[1] == "last":
        print(last_id(sys.argv[2]))
    else:
        judge(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
except ValueError as error:
    print(error)
    sys.exit(1)
