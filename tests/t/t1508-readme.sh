#!/bin/sh
# The README's examples, as they stand there, beside a running peal.
. "$(dirname "$0")/../lib/house.sh"

# A line that follows events is told to end after the first, FILE.jsonl is the
# sample, and curl fails where it is refused.
examples() {
	sed -n -e ':more' -e '/\\$/{' -e N -e 's/\\\n *//' -e 'b more' -e '}' \
	    -e 's/^    \(build\/peal .*\)/\1/p' \
	    -e 's/^    curl \(.*\)/curl -fsS \1/p' "$top_srcdir/README.md" |
	    sed '/peal tail/s/$/ -n 1/'
}

examples >"$work/examples"
n=$(wc -l <"$work/examples")
plan $((n + 2))

# As in the tree: built in build/, data in peal-data/.
ln -s "$(cd "$top_builddir" && pwd)" "$work/build"
cp "$sample" "$work/FILE.jsonl"
data=$work/peal-data
house_up --gateways 1
cd "$work" || bail 'no directory'
passes 'the README has examples' [ "$n" -ge 3 ]
while read -r line; do
	# A busy broker would refuse after two seconds, as behind what was appended.
	await build/peal state nothing.here >/dev/null 2>&1
	run=$(printf '%s\n' "$line" | sed "s|127.0.0.1:8443|127.0.0.1:$port|")
	passes "it works: $line" timeout "$deadline" sh -c "$run" </dev/null
done <"$work/examples"
exits 'an example that is wrong is noticed' 2 "--from" \
	sh -c "build/peal tail 'memory.>' --from nowhere"
