#!/bin/sh
# Completion in bash offers what the programs' own help names, and evaluates
# nothing that somebody typed or printed.
. "$(dirname "$0")/../lib/house.sh"

command -v bash >/dev/null || skip_all 'there is no bash'
completion=$top_srcdir/tools/completion.bash
plan 21

# complete WORD...: what is offered for the last word, one a line.
complete() {
	bash --norc -c '. "$0"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_peal
		[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}"
	' "$completion" "$@" 2>"$work/said" | sort -u
	[ ! -s "$work/said" ] || cat "$work/said"
}

# offers NAME WANTED WORD...: these lines, and no other.
offers() {
	name=$1
	printf '%s' "$2" | sort -u >"$work/want"
	shift 2
	complete "$@" >"$work/have"
	passes "$name" diff "$work/want" "$work/have"
}


help_commands() {
	"$peal" "$@" --help |
		sed -n '/^usage:/,/^options:$/s/^  \([a-z]\{2,\}\)  *[^ ].*/\1/p'
}

# Every spelling of every option, read another way than completion reads it.
help_options() {
	"$peal" "$@" --help | sed -n '/^options:$/,$p' |
		grep -o '^  *[-a-zA-Z0-9, ]*--[a-z-]*' | grep -o -e '-[-a-z0-9]*'
}

# Each command offers exactly the options of its help.
each_command() {
	for command in $(help_commands); do
		help_options "$command" | sort -u >"$work/want"
		complete "$peal" "$command" - >"$work/have"
		diff "$work/want" "$work/have" || return 1
		for what in $(help_commands "$command"); do
			help_options "$command" "$what" | sort -u >"$work/want"
			[ -s "$work/want" ] || return 1
			complete "$peal" "$command" "$what" - >"$work/have"
			diff "$work/want" "$work/have" || return 1
		done
	done
}

each_key() {
	sed -n 's/^\.It Cm \([a-z0-9_.]*\) Ns = .*/\1=/p' \
	    "$top_builddir/doc/man/peal.conf.5" | sort >"$work/want"
	[ "$(wc -l <"$work/want")" -gt 20 ] || return 1
	complete "$peal" up -o '' >"$work/have"
	diff "$work/want" "$work/have"
}

cd "$work" || bail 'no directory'
mkdir d1 d2 'with space'
: >d1.jsonl

offers 'all commands are offered' "$(help_commands)
" "$peal" ''
offers 'those that begin so' 'append
' "$peal" ap
offers 'and none that begins otherwise' '' "$peal" conjure
offers 'commands below a command are offered' "$(help_commands log)
" "$peal" log ''
passes 'each command offers the options of its help' each_command
offers 'those that begin so' '--gateways
' "$peal" up --gate
offers 'without a command there are two' '--help
--version
' "$peal" -
offers 'a directory is offered where one is wanted' 'd1
d2
with space
' "$peal" up --data ''
offers 'also behind an equals sign' 'd1
d2
' "$peal" up --data = d
offers 'a file where one is wanted' 'd1
d1.jsonl
' "$peal" demo --replay d1
offers 'a file as an operand' 'd1
d1.jsonl
' "$peal" import d1
passes 'every key of the configuration is offered' each_key
offers 'those that begin so' 'ring.slots=
' "$peal" up -o ring.sl
offers 'no value of one' '' "$peal" up -o ring.slots = ''
offers 'words that a help puts into quotes' 'now
oldest
' "$peal" tail --from ''
offers 'nothing where anything may stand' '' "$peal" append --key ''
offers 'nothing for a program that is not there' '' ./conjure ''

# Whoever types or prints commands for the shell is not obeyed.
offers 'what was typed is not evaluated' '' "$peal" up --data '$(touch typed)'
cat >lying <<'END'
#!/bin/sh
cat <<'HELP'
usage: lying $(touch printed)

  $(touch printed)   `touch printed`
  aa $(touch printed) `touch printed`
options:
  -x, --$(touch printed) FILE  text
HELP
END
chmod +x lying
complete ./lying '' >/dev/null
complete ./lying -x '$(touch printed)' >/dev/null
complete ./lying '`touch typed`' '' >/dev/null
passes 'nor what was printed' sh -c '! ls typed printed 2>/dev/null'
passes 'a name with white space stays one' \
	sh -c "[ \"\$(COLUMNS=80 bash --norc -c '. \"\$0\"
		COMP_WORDS=(\"\$@\") COMP_CWORD=3
		_peal
		echo \${#COMPREPLY[@]}' '$completion' '$peal' up --data with)\" = 1 ]"

# As one uses it: in a bash that reads a terminal.
if command -v python3 >/dev/null; then
	passes 'the tabulator key completes' python3 \
	    "$top_srcdir/tests/t/completion.py" "$completion" "$peal"
else
	count=$((count + 1))
	echo "ok $count - the tabulator key completes # SKIP there is no python3"
fi
