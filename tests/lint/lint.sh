# What the lint tests share; sourced, not run.  A lint defines check(), which
# looks at the tree it stands in and prints one line for each fault: it is
# shown the real tree, and then wrong ones that it has to refuse.

top=$(cd "${top_srcdir:-$(dirname "$0")/../..}" && pwd)
rooms='core shm log writer broker gateway tools'
count=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# verdict YES|NO NAME
verdict() {
	count=$((count + 1))
	case $1 in
	yes) echo "ok $count - $2" ;;
	*) echo "not ok $count - $2" ;;
	esac
}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

# accepts NAME: the real tree has no fault.
accepts() {
	if faults=$(cd "$top" && check 2>&1) && [ -z "$faults" ]; then
		verdict yes "$1"
	else
		printf '%s\n' "$faults" | sed 's/^/# /'
		verdict no "$1"
	fi
}

# refuses NAME TEXT COMMAND...: in an empty tree that the command has filled,
# a fault is found whose line has TEXT in it.
refuses() {
	name=$1 text=$2
	shift 2
	tree=$scratch/$count
	mkdir -p "$tree"
	(cd "$tree" && "$@")
	faults=$(cd "$tree" && check 2>&1)
	case $faults in
	*"$text"*) verdict yes "$name" ;;
	*)
		printf '%s\n' "expected: $text" "found: $faults" | sed 's/^/# /'
		verdict no "$name"
		;;
	esac
}

# allows NAME COMMAND...: the tree that the command has made has no fault.
allows() {
	name=$1
	shift
	tree=$scratch/$count
	mkdir -p "$tree"
	(cd "$tree" && "$@")
	faults=$(cd "$tree" && check 2>&1)
	[ -z "$faults" ] || printf '%s\n' "$faults" | sed 's/^/# /'
	if [ -z "$faults" ]; then
		verdict yes "$name"
	else
		verdict no "$name"
	fi
}

# put FILE: write stdin there, directories included.
put() {
	mkdir -p "$(dirname "$1")"
	cat >"$1"
}

# sources DIRECTORY...: the C files under them, or a fault when there is none.
sources() {
	found=$(for dir; do
		[ ! -d "$dir" ] || find "$dir" -name node_modules -prune -o \
		    -name '*.[ch]' -type f -print
	done | sort)
	[ -n "$found" ] || echo 'no-sources-found'
	printf '%s\n' "$found"
}

# scripts DIRECTORY...: the modules under them, vendored ones left out.
scripts() {
	for dir; do
		[ ! -d "$dir" ] || find "$dir" \( -name node_modules -o -name vendor \) \
		    -prune -o \( -name '*.js' -o -name '*.mjs' \) -type f -print
	done | sort
}

finish() {
	echo "1..$count"
}
