# Completion of the command peal in bash.  It knows nothing itself: commands,
# options and what they take come from the help of the program on the command
# line, which is made from the tables that parse it.
#
# Nothing that a program prints or somebody types is evaluated.

# Options that "$1" (a help) has as lines "SPELLING ARGUMENT TEXT"; an option
# without an argument has "-" for it.
_peal_options() {
	awk '
		/^options:$/ { inside = 1 }
		!inside || $1 !~ /^-/ { next }
		{
			n = split(substr($0, 1, 80), word, " ")
			long = word[1] ~ /,$/ ? 2 : 1
			argument = word[long + 1]
			if (argument !~ /^[A-Z][A-Z.:=]*$/ || argument == "JSON")
				argument = "-"
			if (long == 2)
				print substr(word[1], 1, 2), argument, $0
			print word[long], argument, $0
		}
	' <<<"$1"
}

# The commands that "$1" (a help) names before its options.
_peal_commands() {
	awk '/^options:$/ { exit } /^  [a-z][a-z]+  *[^ ]/ { print $1 }' <<<"$1"
}

# Keys of the configuration, as an assignment begins.
_peal_keys() {
	"$1" config -c /dev/null 2>/dev/null | awk '
		/^\[/ { section = substr($1, 2, length($1) - 2) }
		/^[a-z_]+ =/ { print section "." $1 "=" }
	'
}

# Offer those of the lines on standard input that begin with "$1".
_peal_offer() {
	local line
	while IFS= read -r line; do
		[[ $line == "$1"* ]] && COMPREPLY+=("$line")
	done
}

_peal_paths() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

# Words that the help of an option puts into quotes, such as 'oldest'.
_peal_quoted() {
	grep -o "'[a-z]*'" <<<"$1" | tr -d "'"
}

# What stands after an option with the argument "$1", of which its line "$2"
# in the help tells.
_peal_argument() {
	case $1 in
	FILE) _peal_paths -f "$3" ;;
	DIR) _peal_paths -d "$3" ;;
	SECTION.KEY=VALUE)
		compopt -o nospace 2>/dev/null
		_peal_offer "$3" < <(_peal_keys "$4")
		;;
	*) _peal_offer "$3" < <(_peal_quoted "$2") ;;
	esac
}

_peal() {
	local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]}
	local before=${COMP_WORDS[COMP_CWORD - 1]}
	local help commands options word spelling argument text i
	local -a path=()

	COMPREPLY=()
	[[ $program == '~/'* ]] && program=$HOME/${program:2}
	program=$(type -P -- "$program") || return 0
	# Readline breaks words at "=".
	if [[ $cur == = ]]; then
		cur=
	elif [[ $before == = && COMP_CWORD -ge 3 ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi

	# The command, and the one below it.
	help=$("$program" --help 2>/dev/null </dev/null) || return 0
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		commands=$(_peal_commands "$help")
		[[ -n $commands && $word == [a-z]* ]] || continue
		grep -q -x -F -e "$word" <<<"$commands" || continue
		path+=("$word")
		help=$("$program" "${path[@]}" --help 2>/dev/null </dev/null) ||
			return 0
	done

	options=$(_peal_options "$help")
	while read -r spelling argument text; do
		if [[ $before == "$spelling" && $argument != - ]]; then
			_peal_argument "$argument" "$text" "$cur" "$program"
			return 0
		fi
	done <<<"$options"
	if [[ $cur == -* ]]; then
		_peal_offer "$cur" < <(
			[[ -n $options ]] && cut -d ' ' -f 1 <<<"$options"
			((${#path[@]})) || printf '%s\n' --help --version
		)
		return 0
	fi
	_peal_offer "$cur" < <(_peal_commands "$help")
	# An operand that is a file is called FILE in the line of usage.
	if [[ ${#COMPREPLY[@]} -eq 0 && ${help%%$'\n'*} == *' FILE'* ]]; then
		_peal_paths -f "$cur"
	fi
	return 0
}

complete -F _peal peal
