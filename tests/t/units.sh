#!/bin/sh
# The units of systemd say what is right, and leave the services as little as
# they can live with; that they can is shown on a real systemd by
# `make check-systemd`.
. "$(dirname "$0")/../lib/house.sh"

command -v systemd-analyze >/dev/null ||
	skip_all 'systemd-analyze is missing: install systemd'
units=$work/units
mkdir "$units"
cp "$top_srcdir"/systemd/*.socket "$top_srcdir"/systemd/*.target "$units"
# They name programs that need not be installed here.
for made in "$top_builddir"/systemd/*.service; do
	sed "s,^ExecStart=[^ ]*/,ExecStart=$top_builddir/," "$made" \
	    >"$units/${made##*/}"
done

units_verify() {
	said=$(cd "$units" && SYSTEMD_UNIT_PATH=$units: systemd-analyze verify \
	    --man=no ./peal-writer.service ./peal-broker.service \
	    ./peal-gateway@1.service ./peal-gateway.socket \
	    ./peal-metrics.service ./peal-metrics.socket ./peal.target 2>&1)
	[ -z "$said" ] || printf '%s\n' "$said"
	[ -z "$said" ]
}

# exposed UNIT TENTHS: at most so much, of ten.
exposed() {
	systemd-analyze security --offline=true --no-pager \
	    --threshold="$2" "$units/$1" >"$work/security" 2>&1 || {
		grep -v '✓' "$work/security"
		return 1
	}
	grep 'Overall exposure' "$work/security"
}

spoil() {
	cp "$units/peal-writer.service" "$work/good"
	sed -i "$1" "$units/peal-writer.service"
}

restore() {
	cp "$work/good" "$units/peal-writer.service"
}

# A socket that goes down with peal.target comes up with it: a service that the
# target starts requires it.
returns() {
	for unit in $(cd "$units" && grep -l '^PartOf=peal.target' ./*.socket); do
		unit=${unit#./}
		got=1
		for service in $(sed -n 's/^Wants=//p' "$units/peal.target" |
		    sed 's/@1\./@./'); do
			! grep -q "^Requires=.*$unit" "$units/$service" || got=0
		done
		[ $got -eq 0 ] || {
			echo "$unit is not started again"
			return 1
		}
	done
}

# Every key of the file is one that the programs know, and says no more than
# what is in force without it would.
configured() {
	"$peal" config -c "$top_srcdir/systemd/peal.conf" >"$work/config" &&
		grep -q '^group *= *peal' "$work/config"
}

plan 10
passes 'the units are what systemd expects' units_verify
spoil 's/^Type=notify/Tipe=notify/'
exits 'a key that is none would be seen' 1 Tipe units_verify
restore
passes 'the writer is exposed to 1.5 of 10 at most' \
	exposed peal-writer.service 15
passes 'so is the broker' exposed peal-broker.service 15
passes 'so are metrics' exposed peal-metrics.service 15
passes 'a gateway, which faces the network, to 2.0' \
	exposed peal-gateway@.service 20
spoil '/^Protect\|^Private\|^Restrict\|^SystemCall\|^Capability/d'
exits 'a unit without its sandbox would be seen' 1 'Overall' \
	exposed peal-writer.service 15
restore
passes 'sockets that stop with the target start with it' returns
sed -i 's/^\[Unit\]/&\nPartOf=peal.target/' "$units/peal-metrics.socket"
exits 'one that does not would be seen' 1 'peal-metrics.socket is not' returns
passes 'the configuration that comes with them is one' configured
