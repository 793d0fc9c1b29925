#!/bin/sh
# When `peal up` starts its children again, and when it gives up: daemons in
# their place that end with a code of our choice.
. "$(dirname "$0")/../lib/house.sh"
plan 8

mkdir "$work/bin"
cp "$peal" "$work/bin/peal"

# ending CODE: run peal up with a writer that ends so; its exit code.
ending() {
	cat >"$work/bin/peal-writer" <<END
#!/bin/sh
echo started >>"$work/starts"
exit $1
END
	chmod +x "$work/bin/peal-writer"
	: >"$work/starts"
	"$work/bin/peal" up --data "$work/data" --listen 127.0.0.1:0
}

starts() {
	[ "$(wc -l <"$work/starts")" -eq "$1" ]
}

for code in 2 3 73; do
	exits "a writer that ends with $code is not started again" $code \
		'no use' ending $code
done
passes 'it was started once' starts 1
exits 'storage that fails three times ends it' 75 'no use' ending 75
passes 'it was started three times' starts 3
exits 'a writer that never gets ready ends it' 1 'no use' ending 1
passes 'it was started five times' starts 5
