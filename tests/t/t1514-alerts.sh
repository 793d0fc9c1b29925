#!/bin/sh
# The alert rules fire when they should and only then, ask for what metrics
# there are, as does the dashboard, and are explained.
. "$(dirname "$0")/../lib/house.sh"

rules=$top_srcdir/doc/alerts.yml
cases=$top_srcdir/tests/data/alerts.test.yml
dashboard=$top_srcdir/doc/dashboard.json
command -v promtool >/dev/null ||
	skip_all 'promtool is missing: install prometheus'
command -v python3 >/dev/null || skip_all 'python3 is missing'

alerts() {
	sed -n 's/^ *- alert: //p' "$rules"
}

# judged [SED]: the rules, changed so, keep what the cases expect of them.
judged() {
	mkdir -p "$work/rules" && cp "$cases" "$work/rules/" &&
		sed "${1-}" "$rules" >"$work/rules/alerts.yml" &&
		promtool test rules "$work/rules/alerts.test.yml"
}

# For each rule there is a case in which it fires, and one in which it does
# not.
each_is_tried() {
	awk -v alerts="$(alerts | tr '\n' ' ')" '
		match($0, /alertname: *[A-Za-z]+/) {
			name = substr($0, RSTART, RLENGTH)
			sub(/.*: */, "", name)
			if (/eval_time:/)
				quiet[name] = 1
		}
		/exp_alerts:/ { fires[name] = 1 }
		END {
			n = split(alerts, list, " ")
			for (i = 1; i <= n; i++) {
				if (!(list[i] in quiet))
					print list[i] " is never quiet"
				if (!(list[i] in fires))
					print list[i] " never fires"
			}
			exit n == 0
		}' "${1-$cases}" >"$work/untried" || return 1
	cat "$work/untried"
	[ ! -s "$work/untried" ]
}

explained() {
	for alert in $(alerts); do
		grep -q "^| \`$alert\` |" "$top_srcdir/doc/operations.md" || {
			echo "doc/operations.md does not explain $alert"
			return 1
		}
	done
	grep -o '^| `Peal[A-Za-z]*` |' "$top_srcdir/doc/operations.md" |
		tr -d '|` ' | while read -r alert; do
		alerts | grep -q -x "$alert" || echo "there is no $alert"
	done >"$work/none"
	[ ! -s "$work/none" ] || cat "$work/none"
	[ ! -s "$work/none" ]
}

# The dashboard's queries, as rules, so that promtool reads them.
queries() {
	python3 - "$1" <<'END'
import json, sys
board = json.load(open(sys.argv[1]))
print("groups: [{name: dashboard, rules: [")
n = 0
asked = [t["expr"] for p in board["panels"] for t in p.get("targets", [])]
asked += [a["expr"] for a in board["annotations"]["list"]]
for expr in asked:
    expr = expr.replace("$__rate_interval", "5m")
    print("{record: 'q:%d', expr: %s}," % (n, json.dumps(expr)))
    n += 1
print("]}]")
assert n > 30
END
}

board_is_read() {
	queries "${1-$dashboard}" >"$work/queries.yml" &&
		promtool check rules "$work/queries.yml"
}

# fitting FILE: each panel shows its metrics in their unit, and none hides
# another.
fitting() {
	python3 - "$1" <<'END'
import json, re, sys
board = json.load(open(sys.argv[1]))
held, wrong = {}, []

def units(expr):
    name = re.search("peal_[a-z0-9_]*", expr)[0]
    if " / " in expr:
        return {"percentunit"}
    if "increase(" in expr:
        return {"short"}
    # It counts requests that were refused for the bytes of others.
    if name == "peal_gateway_limited_append_bytes_total":
        return {"cps"}
    if re.search("_seconds(_bucket)?$", name):
        return {"s"}
    if re.search("_bytes(_bucket)?$", name):
        return {"bytes"}
    if name.endswith("_bytes_total"):
        return {"Bps"}
    if name.endswith("_total"):
        return {"cps", "reqps", "short"}
    return {"short", "none"}

for panel in board["panels"]:
    at = panel["gridPos"]
    for x in range(at["x"], at["x"] + at["w"]):
        for y in range(at["y"], at["y"] + at["h"]):
            if held.setdefault((x, y), panel["title"]) != panel["title"]:
                wrong.append("%s is over %s" % (panel["title"], held[x, y]))
    unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit")
    for target in panel.get("targets", []):
        if unit not in units(target["expr"]):
            wrong.append("%s: unit %s of %s" % (panel["title"], unit,
                                                target["expr"]))
print("\n".join(sorted(set(wrong))))
sys.exit(bool(wrong) or len(held) < 1000)
END
}

# What a scrape tells of, as it is asked for.
served() {
	"$peal" metrics --data "$data" >"$work/text" &&
		sed -n -e 's/^# TYPE \([a-z0-9_]*\) histogram$/\1_bucket/p' \
		    -e 's/^# TYPE \([a-z0-9_]*\) .*/\1/p' "$work/text" |
		sort -u >"$work/served"
}

# asked FILE: of each metric it names there is one.
asked() {
	served && grep -o 'peal_[a-z0-9_]*' "$1" | sort -u |
		comm -23 - "$work/served" >"$work/lacking" &&
		[ -s "$work/served" ] || return 1
	[ ! -s "$work/lacking" ] || cat "$work/lacking"
	[ ! -s "$work/lacking" ]
}

plan 15
passes 'promtool reads the rules' promtool check rules "$rules"
passes 'they fire when they should, and not when all is well' judged
exits 'a bound that was moved would be seen' 1 PealReaderLag \
    judged 's/> 0\.5/> 0.9/'
exits 'so would a rule that is too hasty' 1 PealRingWindow \
    judged '/alert: PealRingWindow/,/for:/s/for: .*/for: 0s/'
passes 'for each there is a case in which it fires, and one in which not' \
    each_is_tried
grep -v PealClockLeap "$cases" >"$work/fewer"
exits 'one without a case would be seen' 1 PealClockLeap \
    each_is_tried "$work/fewer"
passes 'all are explained, and none that is not' explained
passes 'promtool reads the queries of the dashboard' board_is_read
sed 's/sum(rate/sum(rate(/' "$dashboard" >"$work/spoilt.json"
exits 'one that is none would be seen' 1 'could not parse' \
    board_is_read "$work/spoilt.json"

passes 'its panels have their units and their places' fitting "$dashboard"
sed 's/"unit": "Bps"/"unit": "bytes"/' "$dashboard" >"$work/units.json"
exits 'another unit would be seen' 1 'unit bytes of' fitting "$work/units.json"
sed 's/"x": 8,/"x": 9,/' "$dashboard" >"$work/places.json"
exits 'so would a panel over another' 1 'is over' fitting "$work/places.json"

house_up --gateways 1
all_there() {
	[ -n "$(gateways)" ] && [ -n "$(broker)" ] && served &&
		grep -q -x peal_reader_lag_bytes "$work/served" &&
		grep -q -x peal_gateway_sessions "$work/served"
}
await_here all_there || bail 'the house is not complete'
passes 'the rules ask for what there is' asked "$rules"
passes 'so does the dashboard' asked "$dashboard"
echo 'peal_gateway_wishes_total' >"$work/wishes"
exits 'what there is not would be seen' 1 peal_gateway_wishes_total \
    asked "$work/wishes"
