#!/bin/sh
# run.sh FILE: run a test file of node's, as TAP.  Whoever lacks what the
# tests of client/ need (`npm ci` in this directory, Debian's chromium) skips
# them with the reason.

here=$(cd "$(dirname "$0")" && pwd)
# npm 9 makes no link to it in node_modules/.bin.
node=$(echo "$here"/node_modules/node-linux-*/bin/node)

skip() {
	echo "1..0 # SKIP $*"
	exit 0
}

"$node" --version >/dev/null 2>&1 ||
	skip 'no node 22: run npm ci in tests/browser'
[ -x "${top_builddir-.}/peal" ] || skip 'peal is not built: run make'
if grep -q '/page\.mjs"' "$1"; then
	command -v "${CHROMIUM-chromium}" >/dev/null || skip 'no chromium'
fi
exec "$node" --test-reporter=tap "$1"
