#!/bin/sh
# What `make install` puts where: below DESTDIR and the prefix alone, programs
# where the units look for them, and `make uninstall` takes all of it away.
. "$(dirname "$0")/../lib/house.sh"

deadline=300
dest=$work/dest

# quiet DIR TARGET [VARIABLE...]: make, without this make's own settings.
quiet() {
	dir=$1
	shift
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$dir" "$@"
}

# outside PREFIX: files that are not below it.
outside() {
	(cd "$dest" && find . ! -type d ! -path ".$1/*")
}

within() {
	quiet "$top_builddir" install DESTDIR="$dest" >"$work/log" 2>&1 || {
		tail -n 20 "$work/log"
		return 1
	}
	[ -x "$dest$prefix/bin/peal" ] && [ -z "$(outside "$prefix")" ]
}

# Each program that a unit starts, each file that it is given.
units_are_right() {
	n=0
	for unit in "$dest$1"/lib/systemd/system/*.service; do
		for path in $(sed -n 's/^ExecStart=//p' "$unit" | tr ' ' '\n' |
		    grep ^/); do
			n=$((n + 1))
			case $path in
			"$1"/*) ;;
			*) echo "$unit: $path" && return 1 ;;
			esac
			[ "${2-}" = unbuilt ] || [ -e "$dest$path" ] || {
				echo "$unit: there is no $path"
				return 1
			}
		done
	done
	[ $n -ge 6 ]
}

works() {
	"$dest$prefix/bin/peal" --version &&
		"$dest$prefix/libexec/peal/peal-gateway" --version &&
		[ -s "$dest$prefix/share/man/man5/peal.conf.5" ] &&
		"$dest$prefix/bin/peal" config \
		    -c "$dest$prefix/etc/peal/peal.conf" |
		grep -q '^group = peal'
}

uninstalled() {
	quiet "$top_builddir" uninstall DESTDIR="$dest" >"$work/log" 2>&1 &&
		[ -z "$(find "$dest" ! -type d)" ]
}

elsewhere() {
	mkdir "$work/build" && (cd "$work/build" &&
		"$top_srcdir/configure" -q --prefix=/opt/peal) >"$work/log" 2>&1 &&
		quiet "$work/build" install-data DESTDIR="$dest" \
		    >>"$work/log" 2>&1 || {
		tail -n 20 "$work/log"
		return 1
	}
	[ -z "$(outside /opt/peal)" ]
}

case $top_srcdir in
/*) ;;
*) top_srcdir=$(cd "$top_srcdir" && pwd) ;;
esac
prefix=$(sed -n 's/^prefix = //p' "$top_builddir/Makefile")
plan 7
passes 'all of it is installed below DESTDIR and the prefix' within
passes 'units start programs that are there' units_are_right "$prefix"
passes 'what is installed runs' works
rm "$dest$prefix/libexec/peal/peal-writer"
exits 'a program that is not there would be seen' 1 'there is no' \
	units_are_right "$prefix"
passes 'nothing stays when it is uninstalled' uninstalled
passes 'another prefix takes all that is no program' elsewhere
passes 'and units look for programs there' units_are_right /opt/peal unbuilt
