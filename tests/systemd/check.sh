#!/bin/sh
# The package on a real systemd: built, installed into a Debian 12 that is
# booted for it, restarted under load, damaged, upgraded and purged.
# PEAL_ROOT=DIR keeps the Debian for the next time, PEAL_PREVIOUS=DIR has the
# packages of the version that is upgraded from.
. "$(dirname "$0")/../lib/house.sh"

for tool in debootstrap systemd-nspawn nsenter dpkg-buildpackage dh; do
	command -v "$tool" >/dev/null || skip_all "$tool is missing"
done
[ "$(id -u)" -eq 0 ] || skip_all 'only root boots a system'
grep -q ' /sys/fs/cgroup ' /proc/mounts || skip_all 'there are no cgroups here'
root=$work/root
leader=
nspawn=

# The tree without anything built, and the package's files.
build_package() {
	make -s -C "$top_builddir" distdir distdir="$work/peal" &&
		cp -R "$top_srcdir/debian" "$work/peal/" &&
		(cd "$work/peal" && DEB_BUILD_OPTIONS=parallel=2 \
		    dpkg-buildpackage -us -uc -b)
}

spotless() {
	said=$(lintian "$work"/*.changes 2>&1 |
		grep -v '^running with root privileges') || true
	[ -z "$said" ] || printf '%s\n' "$said"
	[ -z "$said" ]
}

# From where this machine gets its Debian, security's updates, too.
make_root() {
	apt-get indextargets --format '$(SITE) $(RELEASE)' | sort -u |
		sed -n 's/^\([^ ]*\) \(bookworm[a-z-]*\)$/deb \1 \2 main/p' \
		    >"$work/sources"
	mirror=$(sed -n 's/^deb \([^ ]*\) bookworm main$/\1/p' "$work/sources" |
		head -n 1)
	base=${PEAL_ROOT:-$root}
	[ -e "$base/etc/debian_version" ] || debootstrap --variant=minbase \
	    --include=systemd,systemd-sysv,dbus,openssl,curl \
	    bookworm "$base" "${mirror:-http://deb.debian.org/debian}" || return 1
	[ "$base" = "$root" ] || cp -a --reflink=auto "$base" "$root" || return 1
	[ ! -s "$work/sources" ] ||
		cp "$work/sources" "$root/etc/apt/sources.list" || return 1
	cp -R /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
}

# in_root COMMAND...: while it is not running, or in the running system.
in_root() {
	if [ -n "$leader" ]; then
		nsenter -t "$leader" -a "$@"
	else
		chroot "$root" "$@"
	fi
}

install_packages() {
	mkdir -p "$root/packages" && cp "$work"/*.deb "$root/packages/" &&
		rm -f "$root"/packages/*dbgsym* &&
		chroot "$root" env DEBIAN_FRONTEND=noninteractive sh -c \
		    'apt-get update -q && apt-get install -y -q \
		    --no-install-recommends /packages/*.deb'
}

is_running() {
	leader=$(pgrep -P "$nspawn" -x systemd | head -n 1)
	[ -n "$leader" ] || return 1
	state=$(in_root systemctl is-system-running 2>/dev/null)
	[ "$state" = running ]
}

boot() {
	systemd-nspawn --register=no --keep-unit --private-network --boot \
	    -D "$root" --console=passive >"$work/console" 2>&1 &
	nspawn=$!
	others="$others $nspawn"
	booted=no
	await_here is_running && booted=yes
	others="$others $leader"
	[ "$booted" = yes ] || {
		in_root systemctl list-units --failed --no-pager
		tail -n 30 "$work/console"
		return 1
	}
}

# halt: the system ends as it would on any machine.
halt() {
	in_root systemctl poweroff
	ends "$nspawn"
	leader=
	[ "$status" -eq 0 ]
}

# What has been said up to now, though journald may be late.
journal() {
	in_root journalctl --sync
	in_root journalctl -q --no-pager -o cat -u "$1"
}

property() {
	in_root systemctl show -P "$2" "$1"
}

is_active() {
	in_root systemctl is-active --quiet "$@"
}

failed_with() {
	await_here sh_failed "$1" || return 1
	[ "$(property "$1" ExecMainStatus)" = "$2" ] &&
		[ "$(property "$1" NRestarts)" = 0 ]
}

sh_failed() {
	[ "$(property "$1" ActiveState)" = failed ]
}

nothing_runs() {
	! is_active peal.target && ! is_active peal-writer &&
		! is_active peal-gateway.socket
}

# complaints UNIT: what its processes themselves ever said of errors.  Not by
# the invocation: the journal cannot look that of a unit up that is gone.
complaints() {
	in_root journalctl --sync
	in_root journalctl -q --no-pager -o cat -p err "_SYSTEMD_UNIT=$1"
}

# refuses UNIT STATUS WORD...: it fails with that, for good, and says why in
# one line that has all of these words.
refuses() {
	unit=$1 want=$2 before=$(complaints "$1" | wc -l)
	shift 2
	in_root systemctl start --no-block "$unit"
	failed_with "$unit" "$want" || {
		in_root systemctl status --no-pager "$unit"
		return 1
	}
	complaints "$unit" | tail -n +$((before + 1)) >"$work/complaints"
	cat "$work/complaints"
	[ "$(wc -l <"$work/complaints")" -eq 1 ] || return 1
	for word; do
		grep -qF -e "$word" "$work/complaints" || return 1
	done
	in_root systemctl reset-failed
}

# Without a certificate a gateway says so in a line, and is left alone.
no_certificate() {
	refuses peal-gateway@1.service 2 /etc/peal/tls/cert.pem \
	    'No such file'
}

# with_configuration SCRIPT COMMAND...: while sed has changed it.
with_configuration() {
	in_root cp -p /etc/peal/peal.conf /etc/peal/peal.conf.before
	in_root sed -i "$1" /etc/peal/peal.conf
	shift
	got=0
	"$@" || got=$?
	in_root mv /etc/peal/peal.conf.before /etc/peal/peal.conf
	return $got
}

wrong_configuration() {
	for unit in peal-writer peal-broker peal-gateway@1; do
		with_configuration 's/^group = /grupp = /' \
		    refuses $unit.service 2 /etc/peal/peal.conf: grupp ||
			return 1
	done
	in_root peal config check /etc/peal/peal.conf >"$work/checked" 2>&1
	grep -q '/etc/peal/tls/cert.pem' "$work/checked" &&
		with_configuration 's/^group = .*/group = nobodys/' \
		    refuses peal-writer.service 2 ring.group nobodys
}

no_directory() {
	with_configuration '$a[log]\ndirectory = /srv/peal/log' \
	    refuses peal-writer.service 2 log.directory /srv/peal &&
		with_configuration '$a[broker]\ndirectory = /srv/peal/state' \
		    refuses peal-broker.service 2 broker.directory /srv/peal
}

# A disk with no room: the writer says so and serves, and refuses appends.
serves_without_room() {
	in_root sh -c 'systemctl start peal-writer && journalctl --sync' ||
		return 1
	in_root journalctl -q --no-pager -o cat -p warning \
	    _SYSTEMD_UNIT=peal-writer.service \
	    "_SYSTEMD_INVOCATION_ID=$(property peal-writer.service InvocationID)" \
	    >"$work/warnings"
	cat "$work/warnings"
	[ "$(grep -c 'No space left on device' "$work/warnings")" -eq 1 ] &&
		[ "$(grep -vc 'on tmpfs' "$work/warnings")" -eq 1 ] || return 1
	if in_root peal append full.disk made '{}' >"$work/refused" 2>&1; then
		echo 'it was stored'
		return 1
	fi
	cat "$work/refused"
	grep -q storage_full "$work/refused"
}

# The disk is in memory, which has to be allowed.
full_disk() {
	in_root sh -ec 'mkdir -p /var/lib/peal/log
		mount -t tmpfs -o size=8M none /var/lib/peal/log'
	refuses peal-writer.service 2 tmpfs unsafe_filesystem &&
		with_configuration '$a[log]\nunsafe_filesystem = yes' \
		    serves_without_room
	full=$?
	in_root sh -ec 'systemctl stop peal-writer
		umount /var/lib/peal/log
		rm -rf /var/lib/peal/log' && return $full
}

make_certificate() {
	in_root sh -ec '
		cd /etc/peal/tls
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
		    -nodes -days 2 -subj /CN=localhost -addext \
		    subjectAltName=DNS:localhost,IP:127.0.0.1 \
		    -keyout key.pem -out cert.pem
		chgrp peal-gateway cert.pem key.pem
		chmod 640 cert.pem key.pem
	'
}

prepare() {
	make_certificate && in_root sh -ec '
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
		    -out /root/issuer.key
		openssl pkey -in /root/issuer.key -pubout \
		    -out /etc/peal/keys/issuer.pem
		sed -i "s/^keys =/keys = issuer.pem/" /etc/peal/peal.conf
		mkdir -p /etc/systemd/system/peal-gateway@.service.d
		printf "%s\n" "[Service]" \
		    LoadCredential=issuer.pem:/etc/peal/keys/issuer.pem \
		    >/etc/systemd/system/peal-gateway@.service.d/keys.conf
		id producer || useradd producer
		id stranger || useradd stranger
		usermod -a -G peal producer
		systemctl daemon-reload
		systemctl reset-failed
		systemctl enable --now peal-gateway.socket peal.target
		peal token --key /root/issuer.key --sub test --ttl 7200 \
		    --read ">" >/root/token'
}

all_active() {
	is_active peal.target peal-writer peal-broker peal-gateway@1 \
	    peal-gateway.socket
}

append_as() {
	in_root setpriv --reuid "$1" --regid "$1" --init-groups \
	    peal append test.items item_created '{"by":"test"}'
}

# follow N: N events from the first on, over TLS, into $work/followed.
follow_tls() {
	in_root timeout "$deadline" peal tail --url https://127.0.0.1:8443 \
	    --token-file /root/token --cafile /etc/peal/tls/cert.pem \
	    --from 1 --count "$1" --json '>'
}

follows() {
	follow_tls 1 >"$work/followed" && grep -q item_created "$work/followed"
}

unbroken() {
	sed 's/^\[\([0-9]*\),.*/\1/' "$work/followed" | awk -v want="$1" '
		$1 != NR { print "line " NR " is seq " $1; exit 1 }
		END { if (NR != want) { print NR " lines"; exit 1 } }'
}

# Each unit restarted while events come and are followed.
restarts_under_load() {
	cp "$sample" "$root/root/events.jsonl"
	head=$(in_root peal ring --json | sed 's/.*"head":\([0-9]*\).*/\1/')
	follow_tls $((head + 2000)) >"$work/followed" &
	follower=$!
	others="$others $follower"
	in_root peal import /root/events.jsonl >"$work/import.err" 2>&1 &
	importer=$!
	others="$others $importer"
	for unit in peal-broker peal-gateway@1 peal-writer peal-gateway@1; do
		in_root systemctl restart "$unit" || return 1
	done
	ends "$importer"
	[ "$status" -eq 0 ] || {
		# A writer that went away may leave an answer unknown; importing
		# again stores nothing twice.
		in_root peal import /root/events.jsonl || return 1
	}
	ends "$follower"
	[ "$status" -eq 0 ] && unbroken $((head + 2000))
}

# Lines are entries with fields, of who said them, and none is a line of text
# that was caught from standard error.
fields() {
	in_root journalctl --sync
	in_root journalctl -q --no-pager -o export \
	    SYSLOG_IDENTIFIER=peal-writer \
	    "_SYSTEMD_INVOCATION_ID=$(property peal-writer.service InvocationID)" \
	    >"$work/export"
	for line in '^PEAL_LOG=[0-9a-f]*-1$' '^PEAL_HEAD=[0-9]*$' '^PRIORITY=5$' \
	    '^MESSAGE=serving: log=' '^_TRANSPORT=journal$'; do
		grep -q "$line" "$work/export" || {
			echo "nothing like '$line'"
			return 1
		}
	done
	! grep '^MESSAGE=<\|^_TRANSPORT=stdout' "$work/export"
}

# No part of the token that was let in, nor of one that was not.
no_secrets() {
	in_root sh -c 'sed "s/A\$/Q/; t; s/.\$/A/" /root/token >/root/forged
		timeout 60 peal tail --url https://127.0.0.1:8443 \
		    --token-file /root/forged --cafile /etc/peal/tls/cert.pem \
		    --count 1 --json ">"' >"$work/forged" 2>&1
	in_root journalctl --sync
	in_root journalctl -q --no-pager -o export >"$work/export"
	in_root sh -c 'cat /root/token /root/forged | tr . "\n"' |
		sort -u | grep -v '^eyJhbGci' | grep . >"$work/secrets"
	cp "$work/secrets" "$work/told"
	grep -qFf "$work/secrets" "$work/told" &&
		[ "$(wc -l <"$work/secrets")" -ge 3 ] &&
		[ -s "$work/export" ] && ! grep -qFf "$work/secrets" "$work/export"
}

# drop_in UNIT LINE...: what a file of the administrator would add to [Service].
drop_in() {
	unit=$1
	shift
	in_root sh -ec 'mkdir -p "/etc/systemd/system/$1.d"
		file=/etc/systemd/system/$1.d/test.conf
		shift
		printf "%s\n" "[Service]" "$@" >"$file"
		systemctl daemon-reload' sh "$unit" "$@"
}

drop_out() {
	in_root rm "/etc/systemd/system/$1.d/test.conf" &&
		in_root systemctl daemon-reload
}

restarted_by() {
	[ "$(property "$1" NRestarts)" -gt "$2" ] && is_active "$1"
}

# has_process UNIT: $pid is that of its main process.
has_process() {
	pid=$(property "$1" MainPID)
	[ "$pid" -gt 0 ]
}

# watchdog UNIT: it is stopped, as a loop is that hangs.
watchdog() {
	drop_in "$1" WatchdogSec=2 && in_root systemctl restart "$2" || return 1
	was=$(property "$2" NRestarts)
	# A busy machine may have come before us: between two of them there is none.
	await_here has_process "$2"
	in_root sh -c "kill -STOP $pid"
	await_here restarted_by "$2" "$was" &&
		journal "$2" | grep -q 'Watchdog timeout' && drop_out "$1" &&
		in_root systemctl restart "$2" && await_here is_active "$2"
}

watchdogs() {
	watchdog peal-writer.service peal-writer.service &&
		watchdog peal-broker.service peal-broker.service &&
		watchdog peal-gateway@.service peal-gateway@1.service
}

served_certificate() {
	in_root sh -c 'openssl s_client -connect 127.0.0.1:8443 </dev/null |
		openssl x509 -noout -fingerprint' 2>/dev/null
}

serves_certificate() {
	[ "$(served_certificate)" = "$1" ]
}

# A new certificate counts without a restart, from within the sandbox.
reload() {
	pid=$(property peal-gateway@1.service MainPID)
	was=$(served_certificate)
	make_certificate || return 1
	now=$(in_root openssl x509 -noout -fingerprint -in /etc/peal/tls/cert.pem)
	[ -n "$was" ] && [ "$was" != "$now" ] && serves_certificate "$was" &&
		in_root systemctl reload peal-writer peal-broker peal-gateway@1 &&
		await_here serves_certificate "$now" &&
		[ "$(property peal-gateway@1.service MainPID)" = "$pid" ] &&
		all_active
}

# Each has closed a filter of its own over that of its unit, and has no core.
narrowed() {
	! in_root journalctl -q --no-pager -o cat |
		grep 'are not filtered\|cannot limit core' || return 1
	for unit in peal-writer peal-broker peal-gateway@1; do
		pid=$(property $unit.service MainPID)
		for task in $(in_root ls "/proc/$pid/task"); do
			in_root cat "/proc/$pid/task/$task/status" \
			    >"$work/status" || return 1
			grep -q '^Seccomp:.*2$' "$work/status" &&
				grep -q '^NoNewPrivs:.*1$' "$work/status" || {
				echo "$unit: $(grep 'Sec\|New' "$work/status")"
				return 1
			}
		done
		in_root grep '^Max core file size  *0  *0 ' "/proc/$pid/limits" ||
			return 1
	done
}

# What a gateway could do if it were taken over.
confined() {
	pid=$(property peal-gateway@1.service MainPID)
	in_root grep -E '^(Seccomp|NoNewPrivs):' "/proc/$pid/status"
	as_gateway() {
		in_root nsenter -t "$pid" -m setpriv --reuid peal-gateway \
		    --regid peal --clear-groups "$@"
	}
	in_root grep -q '^Seccomp:.*2' "/proc/$pid/status" &&
		in_root grep -q '^NoNewPrivs:.*1' "/proc/$pid/status" &&
		as_gateway test -r /run/peal/ring &&
		! as_gateway ls /var/lib/peal/log &&
		! as_gateway touch /run/peal/mine
}

scraped() {
	in_root curl -fsS http://127.0.0.1:9735/metrics >"$work/scraped" || {
		journal peal-metrics.service
		return 1
	}
}

# Metrics come from their socket, of all processes, and can do nothing else.
measured() {
	in_root systemctl enable --now peal-metrics.socket && scraped &&
		is_active peal-metrics || return 1
	for process in writer gateway; do
		grep "^peal_process_up{process=\"$process\",.*} 1\$" \
		    "$work/scraped" || return 1
	done
	grep -x 'peal_metrics_bad_files 0' "$work/scraped" || return 1
	pid=$(property peal-metrics.service MainPID)
	as_metrics() {
		in_root nsenter -t "$pid" -m -n setpriv --reuid peal-metrics \
		    --regid peal --clear-groups "$@"
	}
	in_root grep -q '^Seccomp:.*2' "/proc/$pid/status" &&
		as_metrics test -r /run/peal/ring &&
		! as_metrics ls /var/lib/peal/log &&
		! as_metrics touch /run/peal/mine &&
		! as_metrics curl -fsS http://127.0.0.1:9735/metrics
}

# Who dies is told of, and metrics go on.
died_is_told() {
	pid=$(property peal-gateway@1.service MainPID)
	in_root sh -c "kill -KILL $pid"
	await_here told_dead "$pid" && is_active peal-metrics
}

told_dead() {
	scraped && grep -q \
	    "^peal_process_up{process=\"gateway\",pid=\"$1\"} 0\$" \
	    "$work/scraped"
}

reads_without_root() {
	in_root setpriv --reuid producer --regid producer --init-groups \
	    peal stat -1 'gateway.accepted' || return 1
	for tool in 'stat -1' ring readers state 'log ls'; do
		# shellcheck disable=SC2086 # words of a command
		! in_root setpriv --reuid stranger --regid stranger \
		    --init-groups peal $tool >"$work/refused" 2>&1 &&
			grep -q "group 'peal' may" "$work/refused" || {
			echo "of peal $tool:"
			cat "$work/refused"
			return 1
		}
	done
}

# Packages of a version before this one: those that were given, or the same,
# under a lower number.
previous_packages() {
	mkdir -p "$root/previous"
	for deb in peal peal-tools; do
		rm -rf "$work/old"
		dpkg-deb -R "${PEAL_PREVIOUS:-$work}/$deb"_*.deb "$work/old" &&
			sed -i 's/^\(Version: .*\)$/\1~1/
				s/\(peal-tools (= [0-9.]*\))/\1~1)/
				s/\(peal (<< [0-9.]*\))/\1~1)/' \
			    "$work/old/DEBIAN/control" &&
			dpkg-deb -b "$work/old" "$root/previous/$deb.deb" ||
			return 1
	done
}

install_previous() {
	mkdir "$root/packages" && cp "$work"/*.deb "$root/packages/" &&
		cp "$sample" "$root/root/events.jsonl" && previous_packages &&
		in_root sh -ec 'apt-get install -y -q --no-install-recommends \
		    /previous/*.deb
		# Early ones left this to the next boot.
		if [ -n "$1" ]; then
			systemd-sysusers
			systemd-tmpfiles --create peal.conf
		fi' sh "${PEAL_PREVIOUS-}" && prepare && await_here all_active
}

# What the version before has stored, and what this one makes of it.
story() {
	in_root sh -c 'peal log cat --json && peal state --json ">"'
}

# Events that are in hand when the packages change are stored once, and who
# follows misses none.
upgrade() {
	in_root peal import /root/events.jsonl || return 1
	story >"$work/before" && [ "$(wc -l <"$work/before")" -gt 2000 ] ||
		return 1
	was=$(in_root dpkg-query -W -f '${Version}' peal)
	in_root sh -c 'dpkg -i /packages/peal_*.deb /packages/peal-tools_*.deb' ||
		return 1
	[ "$(in_root dpkg-query -W -f '${Version}' peal)" != "$was" ] &&
		all_active || return 1
	in_root systemctl restart peal-writer peal-broker peal-gateway@1 &&
		await_here all_active || return 1
	story >"$work/after"
	cmp "$work/before" "$work/after" && append_as producer &&
		follow_tls 2001 >"$work/followed" && unbroken 2001 &&
		in_root peal log verify && in_root peal verify
}

# Stopping the target asks the services to stop, and does not wait for them.
has_stopped() {
	[ "$(property "$1.service" ActiveState)" = inactive ]
}

stops_cleanly() {
	in_root systemctl stop peal.target peal-gateway.socket \
	    peal-metrics.socket || return 1
	for unit in peal-writer peal-broker peal-gateway@1 peal-metrics; do
		await_here has_stopped $unit &&
			[ "$(property $unit.service Result)" = success ] || {
			echo "$unit: $(property $unit.service Result)"
			return 1
		}
	done
}

tries() {
	journal peal-writer.service | grep -c '^this disk fails$'
}

# Storage that fails is tried three times more, and then left.
retries_storage() {
	drop_in peal-writer.service RestartSec=100ms ExecStart= \
	    "ExecStart=/bin/sh -c 'echo this disk fails; exit 75'" &&
		in_root systemctl reset-failed || return 1
	in_root systemctl start --no-block peal-writer
	await_here sh_failed peal-writer.service
	[ "$(property peal-writer.service ExecMainStatus)" = 75 ] &&
		[ "$(tries)" -eq 4 ] || {
		echo "$(tries) tries"
		return 1
	}
	drop_out peal-writer.service && in_root systemctl reset-failed
}

# Another writer has the log: its pid is named, and nobody tries again.
refuses_held() {
	in_root sh -ec 'program=$(systemctl show -P ExecStart peal-writer |
			sed "s/.* path=\([^ ]*\) .*/\1/")
		systemd-run --quiet --unit=other-writer -p Type=notify \
		    -p User=peal-writer -p Group=peal \
		    "$program" -c /etc/peal/peal.conf' || return 1
	refuses peal-writer.service 73 \
	    "$(property other-writer.service MainPID)"
	held=$?
	in_root systemctl stop other-writer && return $held
}

# A byte of an event that was acknowledged, in the oldest segment.
refuses_damage() {
	in_root sh -ec 'segment=$(ls /var/lib/peal/log/*.seg | head -n 1)
		at=$(grep -abo item_created "$segment" | head -n 1)
		printf X | dd of="$segment" bs=1 seek="${at%%:*}" conv=notrunc
		systemctl reset-failed
		systemctl start --no-block peal-writer'
	failed_with peal-writer.service 3 || {
		property peal-writer.service ExecMainStatus
		journal peal-writer | tail -n 5
		return 1
	}
	journal peal-writer | tail -n 20 | grep -q '\.seg'
}

purge() {
	in_root sh -ec 'systemctl stop "peal*"
		DEBIAN_FRONTEND=noninteractive apt-get purge -y -q peal \
		    peal-tools peal-doc
		rm -rf /packages /previous /root/events.jsonl*' || return 1
	left=$(in_root sh -c 'find / -xdev -iname "*peal*" \
		-not -path "/var/lib/dpkg/*" -not -path "/var/lib/apt/*" \
		-not -path "/var/cache/*" -not -path "/var/log/*" \
		-not -path "/etc/systemd/system/peal-*" \
		-not -path "/var/lib/systemd/*" \
		-not -path "/proc/*" -not -path "/sys/*"
		ls -d /run/peal 2>/dev/null
		getent passwd | grep ^peal; getent group | grep ^peal')
	[ -z "$left" ] || printf '%s\n' "$left"
	[ -z "$left" ]
}

make_root >"$work/debootstrap" 2>&1 || {
	tail -n 5 "$work/debootstrap" | sed 's/^/# /'
	skip_all 'there is no Debian to be had for booting'
}
passes 'the package is built' build_package
if command -v lintian >/dev/null; then
	passes 'lintian finds neither errors nor warnings' spotless
fi
install_packages >"$work/installed" 2>&1 || {
	tail -n 20 "$work/installed" | sed 's/^/# /'
	bail 'the package cannot be installed'
}
verdict 'it is installed into a system that does not run' 0
passes 'the system boots' boot
[ -n "$leader" ] || bail 'nothing to enter'
passes 'nothing runs that was not asked for' nothing_runs
passes 'a gateway without certificate ends with one line, for good' \
	no_certificate
passes 'so does each of them with a wrong configuration' wrong_configuration
passes 'so do writer and broker without their directory' no_directory
passes 'a writer with a full disk says so in a line, and serves' full_disk
passes 'certificate, key and token key are put in place' prepare
passes 'all of it is active' await_here all_active
passes 'a member of the group appends' append_as producer
exits 'a stranger does not, and is told why' 1 "group 'peal' may" append_as stranger
passes 'a client follows over TLS' follows
passes 'each unit is restarted under load and a client misses nothing' \
	restarts_under_load
passes 'the journal has fields' fields
passes 'and no part of a token' no_secrets
passes 'a process that stands still is started again' watchdogs
passes 'a new certificate counts at a reload' reload
passes 'each has narrowed itself down' narrowed
passes 'a gateway reads the ring and little else' confined
passes 'metrics are scraped from here alone, and read alone' measured
passes 'a gateway that was killed is told of' died_is_told
passes 'the tools take the group alone' reads_without_root
passes 'all stop in good order' stops_cleanly
passes 'storage that fails is tried three times more' retries_storage
passes 'a log that another writer has is refused with 73, once' refuses_held
passes 'a damaged log is refused with 3, and not tried again' refuses_damage
passes 'a purge leaves nothing' purge
passes 'the version before is installed and runs' install_previous
passes 'an upgrade keeps the log, the state and what runs' upgrade
passes 'a purge leaves nothing this time either' purge
passes 'the system ends' halt
plan $count
