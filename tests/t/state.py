# SPDX-License-Identifier: BSD-2-Clause
"""state.py PEAL DATA EVENTS [OPTION...]: what the tools say of a house into which the
JSON lines of EVENTS were imported, and nothing else, against a fold of those
lines.  Speaks TAP, without a plan."""

import collections
import datetime
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import fold  # noqa: E402

peal, data, path, *how = sys.argv[1:]
count = 0
failed = False


def verdict(name, said):
    global count, failed
    count += 1
    for sentence in said:
        print("#", sentence)
    print(f"{'not ok' if said else 'ok'} {count} - {name}", flush=True)
    failed |= bool(said)


def ask(*words):
    run = subprocess.run([peal, *words, "--data", data, "--json", *how],
                         capture_output=True, encoding="utf-8", check=False)
    if run.returncode:
        print(f"# peal {' '.join(words)} ended with {run.returncode}: "
              f"{run.stderr.strip()}")
        return None
    return fold.read(run.stdout.splitlines())


def numbered():
    """The events as the log has them: a time is never before the last."""
    events, last = [], 0
    versions = collections.Counter()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            e = json.loads(line)
            last = max(last, e["time"])
            versions[e["topic"]] += 1
            events.append([len(events) + 1, last, e["topic"],
                           versions[e["topic"]], e["type"], e.get("actor", ""),
                           e["data"]])
    return events, versions


events, versions = numbered()


def folded(upto, wanted=lambda topic: True):
    rows = fold.Rows()
    for e in events[:upto]:
        if wanted(e[2]):
            rows.fold(e)
    return rows


def rows_are(name, want, *words):
    got = ask(*words)
    verdict(name, ["no answer"] if got is None
            else fold.differences(want, got))


def events_are(name, want, *words):
    got = ask(*words)
    said = ["no answer"] if got is None else []
    if got is not None and [e[:7] for e in got] != want:
        first = next((i for i, (a, b) in enumerate(zip(got, want))
                      if a[:7] != b), min(len(got), len(want)))
        said = [f"{len(got)} events, not {len(want)}; they differ at {first}:",
                json.dumps(got[first:first + 1]),
                json.dumps(want[first:first + 1])]
    verdict(name, said)


def at_seqs():
    n = len(events)
    seqs = [1, 2, n // 3, n - 1, n]
    if n > 30000:
        seqs += [10000, 30000]
    for seq in seqs:
        rows_are(f"the state at seq {seq} is the fold up to it", folded(seq),
                 "at", str(seq))


def moment(us):
    t = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us)
    return t.isoformat(timespec="microseconds") + "Z"


def upto_time(us):
    return sum(e[1] <= us for e in events)


def at_times():
    epoch = datetime.datetime(1970, 1, 1)
    us = int((datetime.datetime(2015, 1, 1) - epoch).total_seconds()) * 10**6
    if not events[0][1] < us < events[-1][1]:
        us = (events[0][1] + events[-1][1]) // 2
    rows_are(f"the state at {moment(us)} is that after the last event by then",
             folded(upto_time(us)), "at", moment(us))
    us = events[len(events) // 2][1]
    rows_are("the events of the moment asked for count in",
             folded(upto_time(us)), "at", moment(us))
    rows_are("those one microsecond later do not",
             folded(upto_time(us - 1)), "at", moment(us - 1))


def histories():
    topic = versions.most_common(1)[0][0]
    events_are("the history of one topic is its lines",
               [e for e in events if e[2] == topic],
               "history", "--topic", topic, "--all")
    busiest = collections.Counter(e[5] for e in events).most_common()
    for actor in {busiest[0][0], busiest[-1][0]}:
        events_are("the activity of one actor is its lines",
                   [e for e in events if e[5] == actor],
                   "history", "--actor", actor, "--all")
    prefix = ".".join(topic.split(".")[:2])
    events_are("the history of a pattern is its lines",
               [e for e in events if e[2].startswith(prefix + ".")],
               "history", "--topic", prefix + ".>", "--all")
    verdict("an actor nobody knows has done nothing",
            [f"{e}" for e in ask("history", "--actor", "nobody-at-all",
                                 "--all") or []])


def main():
    want = folded(len(events))
    got = ask("state")
    verdict("the state is the fold of the events",
            ["no answer"] if got is None else fold.differences(want, got))
    deletions = sum(e[4].endswith("deleted") for e in events)
    print(f"# {len(want)} rows, {sum(r[7] for r in want.values())} deleted, "
          f"{deletions} deletions, {len(events)} events")
    verdict("each row's version is the number of its events",
            [f"'{r[0]}' is version {r[1]} of {versions[r[0]]}"
             for r in got or [] if r[1] != versions[r[0]]][:5])
    topic = versions.most_common(1)[0][0]
    prefix = ".".join(topic.split(".")[:3])
    rows_are("the state of a pattern is its part of it",
             folded(len(events),
                    lambda t: t.startswith(prefix + ".")),
             "state", prefix + ".>")
    rows_are("the state of a topic is its row",
             folded(len(events), lambda t: t == topic), "state", topic)
    rows_are("a pattern that matches nothing has no rows", {}, "state",
             "nothing.here.>")
    at_seqs()
    at_times()
    histories()
    sys.exit(failed)


main()
