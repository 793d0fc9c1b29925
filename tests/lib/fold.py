# SPDX-License-Identifier: BSD-2-Clause
"""Folding as doc/protocol.md tells it, in as few lines as it takes: the other
opinion on what a row is.  Knows nothing of peal's code.

    fold.py [--rules RULES] EVENTS ROWS [UPTO]

compares rows, one JSON array a line ("-": from standard input), with the fold
of events, one JSON array a line as `peal log cat --json` prints them, up to
seq UPTO.

    fold.py --vectors PAGE

folds the vectors of doc/protocol.md, but for those whose maps have keys that
JSON has not."""

import json
import re
import sys

RULES = [("*created", "set"), ("*restored", "set"), ("*reverted", "set"),
         ("*set", "set"), ("*sampled", "set"), ("*reported", "set"),
         ("*removed", "remove"), ("*added", "add"), ("*updated", "merge"),
         ("*changed", "merge"), ("*renamed", "merge"), ("*moved", "merge"),
         ("*deleted", "delete")]


def rules_of(text):
    """As fold.rules is written."""
    return [word.rsplit("=", 1) for word in text.split()]


def rule_of(topic, kind, rules):
    if topic.startswith("$"):
        return "set"
    for glob, rule in rules:
        if re.fullmatch(".*".join(map(re.escape, glob.split("*"))), kind):
            return rule
    return "touch"


def same(a, b):
    """Equal as values: 1, 1.0 and True are three."""
    return json.dumps(a) == json.dumps(b)


def merge(value, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    value = dict(value) if isinstance(value, dict) else {}
    for key, part in patch.items():
        if part is None:
            value.pop(key, None)
        else:
            value[key] = merge(value.get(key), part)
    return value


def depth(value):
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return 0
    return 1 + max(map(depth, value), default=0)


def element(value, data, add):
    """{field: element}: into the array of that name, or out of it; None where
    they do not fit."""
    value = {} if value is None else value
    if not (isinstance(value, dict) and isinstance(data, dict)
            and len(data) == 1):
        return None
    (field, one), = data.items()
    old = value.get(field, [])
    if not isinstance(old, list):
        return None
    if add:
        if any(same(x, one) for x in old):
            return value
        if depth(one) > 27:
            return None
        new = old + [one]
    else:
        new = [x for x in old if not same(x, one)]
    return {**value, field: new} if add or field in value else value


class Rows(dict):
    """topic -> [topic, version, seq, created_time, created_by, updated_time,
    updated_by, deleted, value]"""

    rules = RULES

    def fold(self, event):
        seq, time, topic, version, kind, actor, data = event[:7]
        row = self.get(topic)
        if row is None:
            row = [topic, 0, 0, time, actor, time, actor, False, None]
        deleted, value = row[7], row[8]
        rule = rule_of(topic, kind, self.rules)
        if version != row[1] + 1:
            sys.exit(f"event {seq} is version {version} of '{topic}' and "
                     f"follows {row[1]}")
        if rule == "set" or (rule == "touch" and row[1] == 0):
            value = data
        elif rule == "merge":
            value = merge(value, data)
        elif rule in ("add", "remove"):
            new = element(value, data, rule == "add")
            value = new if new is not None else data if not row[1] else value
        if rule == "set":
            deleted = False
        elif rule == "delete":
            deleted = True
        self[topic] = [topic, version, seq, row[3], row[4], time, actor,
                       deleted, value]


def read(lines):
    return [json.loads(line) for line in lines if line.strip()]


def differences(want, got):
    """Sentences, at most ten; got is a list of rows."""
    said = []
    seen = set()
    for row in got:
        if row[0] in seen:
            said.append(f"'{row[0]}' is there twice")
        seen.add(row[0])
        if row[0] not in want:
            said.append(f"there should be no {json.dumps(row)}")
        elif not same(want[row[0]], row) and want[row[0]] != row:
            said.append(f"{json.dumps(row)} should be "
                        f"{json.dumps(want[row[0]])}")
    said += [f"'{topic}' is missing" for topic in want if topic not in seen]
    return said[:10]


def vectors(path):
    """Sentences, one for each vector that is folded otherwise."""
    said, folded = [], 0
    with open(path, encoding="utf-8") as page:
        lines = [line for line in page if line.startswith('{"name":')]
    for line in lines:
        vector = json.loads(line)
        if "$map" in line:
            continue
        rows = Rows()
        if "rules" in vector:
            rows.rules = rules_of(vector["rules"])
        event, after = vector["event"], vector["after"]
        if vector["before"]:
            rows[event[2]] = vector["before"]
        rows.fold(event)
        folded += 1
        if not same(rows[event[2]], after):
            said.append(f"{vector['name']}: {json.dumps(rows[event[2]])} "
                        f"should be {json.dumps(after)}")
    print(f"# {folded} of {len(lines)} vectors")
    return said if folded else ["there are no vectors"]


def main():
    if sys.argv[1] == "--vectors":
        said = vectors(sys.argv[2])
        for sentence in said:
            print("#", sentence)
        sys.exit(1 if said else 0)
    rows = Rows()
    if sys.argv[1] == "--rules":
        rows.rules = rules_of(sys.argv[2])
        del sys.argv[1:3]
    upto = int(sys.argv[3]) if len(sys.argv) > 3 else None
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if upto is None or event[0] <= upto:
                rows.fold(event)
    source = (sys.stdin if sys.argv[2] == "-"
              else open(sys.argv[2], encoding="utf-8"))
    said = differences(rows, read(source))
    for sentence in said:
        print("#", sentence)
    print(f"# {len(rows)} rows, "
          f"{sum(row[7] for row in rows.values())} deleted")
    sys.exit(1 if said else 0)


if __name__ == "__main__":
    main()
