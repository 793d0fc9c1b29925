# Compare the pages of the manual with what the programs say of themselves:
# "table" has the configuration keys, help what peal --help prints,
# help-COMMAND and help-COMMAND-WHAT the help of commands, daemon-NAME that of
# the daemons, and all other files are pages.  Prints one line for each fault.

function spelling(word) {
	match(word, /^[a-zA-Z0-9-]+/)
	return substr(word, 1, RLENGTH)
}

# The options that a macro names, into the array, as they are typed.
function spellings(line, into,    n, words, i) {
	gsub(/ Fl Fl /, " Fl -", line)
	n = split(line, words, / Fl /)
	for (i = 2; i <= n; i++) {
		words[i] = "-" spelling(words[i])
		if (words[i] !~ /^--?(help|h)$/)
			into[words[i]] = 1
	}
}

FNR == 1 {
	file = FILENAME
	sub(/.*\//, "", file)
	is_page = FILENAME ~ /^doc\/man\//
	is_help = FILENAME ~ /^(help|daemon-.*)/
	options = examples = synopsis = 0
	form = ""
	if (is_page)
		pages[file] = 1
}

FILENAME == "table" {
	keys[$0] = 1
	section = $0
	sub(/\..*/, "", section)
	sections[section] = 1
	next
}

is_help && /^options:$/ { options = 1 }

is_help && !options && /^  [a-z][a-z]+  *[^ ]/ {
	below[file] = below[file] " " $1
	text = $0
	sub(/^ *[a-z]+ */, "", text)
	said[file, $1] = text
}

# One line of the table of options: a letter and a name, or a name.
is_help && /^ +(-[a-zA-Z0-9], )?--[a-z]/ {
	match($0, /--[a-z0-9-]+/)
	name = substr($0, RSTART + 2, RLENGTH - 2)
	letter = $1 ~ /^-[a-zA-Z0-9],$/ ? substr($1, 1, 2) : ""
	if (name != "help")
		takes[file] = takes[file] " " letter "/--" name
	next
}

is_help { next }

/^\.Sh/ {
	synopsis = /^\.Sh SYNOPSIS/
	examples = /^\.Sh EXAMPLES/
	form = ""
}

/^\.Nd / { said_of[file] = substr($0, 5) }

synopsis && /^\.Nm / {
	form = substr($0, 5)
	forms[file, form] = 1
}

form != "" && /^\.Op / {
	split("", found)
	spellings($0, found)
	for (word in found)
		given[file, form] = given[file, form] " " word
}

/^\.It Fl / {
	split("", found)
	spellings($0, found)
	for (word in found)
		told[file] = told[file] " " word
}

/^\.(It )?Xr peal/ {
	name = $0
	sub(/^.*Xr /, "", name)
	split(name, page_of, " ")
	refers[page_of[1] "(" page_of[2] ")"] = page_of[1] "." page_of[2]
	if (file == "peal.1" && /^\.It /)
		listed[page_of[1]] = 1
}

{
	rest = $0
	while (match(rest, /(Cm|Va|-o) [a-z]+\.[a-z_]+/)) {
		key = substr(rest, RSTART + 3, RLENGTH - 3)
		section = key
		sub(/\..*/, "", section)
		if (section in sections && !(key in keys))
			print "is no key: " key
		rest = substr(rest, RSTART + RLENGTH)
	}
}

examples && /^\$ / { shows[file] = shows[file] "\n" $0 }

/^\..* Op .* Op / { print file ": brackets within brackets: " $0 }

function in_list(list, word) {
	return index(list " ", " " word " ") > 0
}

# Each option is in the form, in one of its spellings, and no other is.
function compare_form(page, help, form,    n, o, i, two) {
	if (!((page, form) in forms)) {
		print page ": no synopsis '" form "'"
		return
	}
	known = ""
	n = split(takes[help], o, " ")
	for (i = 1; i <= n; i++) {
		split(o[i], two, "/")
		known = known " " two[1] " " two[2]
		if (!in_list(given[page, form], two[2]) &&
		    (two[1] == "" || !in_list(given[page, form], two[1])))
			print page ": not in the synopsis '" form "': " two[2]
	}
	n = split(given[page, form], o, " ")
	for (i = 1; i <= n; i++)
		if (!in_list(known, o[i]))
			print page ": the synopsis '" form \
			    "' has what is no option: " o[i]
}

# The list tells of every option of the helps in each spelling, and no other.
function compare_list(page, helps,    n, h, i, m, o, j, k, two) {
	known = ""
	n = split(helps, h, " ")
	for (i = 1; i <= n; i++) {
		m = split(takes[h[i]], o, " ")
		for (j = 1; j <= m; j++) {
			split(o[j], two, "/")
			for (k = 1; k <= 2; k++) {
				if (two[k] == "" || in_list(known, two[k]))
					continue
				known = known " " two[k]
				if (!in_list(told[page], two[k]))
					print page ": lacks the option " two[k]
			}
		}
	}
	n = split(told[page], o, " ")
	for (i = 1; i <= n; i++)
		if (!in_list(known, o[i]))
			print page ": tells of what is no option: " o[i]
}

function compare_command(command,    page, help, n, whats, i, helps) {
	page = "peal-" command ".1"
	help = "help-" command
	if (!(page in pages)) {
		print "no page: " page
		return
	}
	if (said_of[page] != said["help", command])
		print page ": peal --help says '" said["help", command] \
		    "', not so its .Nd"
	if (!("peal-" command in listed))
		print "not in peal(1): " command
	if (index(shows[page], "peal " command) == 0)
		print page ": has no example of peal " command
	helps = help
	if (takes[help] != "")
		compare_form(page, help, "peal Cm " command)
	n = split(below[help], whats, " ")
	for (i = 1; i <= n; i++) {
		compare_form(page, help "-" whats[i],
		    "peal Cm " command " " whats[i])
		helps = helps " " help "-" whats[i]
	}
	compare_list(page, helps)
}

END {
	n = split(below["help"], commands, " ")
	if (!n)
		print "no commands found"
	for (i = 1; i <= n; i++)
		compare_command(commands[i])
	for (page in pages) {
		command = page
		if (sub(/^peal-/, "", command) && sub(/\.1$/, "", command) &&
		    !in_list(below["help"], command))
			print "page of no command: " page
	}
	for (help in takes)
		if (help ~ /^daemon-/)
			compare_list(substr(help, 8) ".8", help)
	for (name in refers)
		if (!(refers[name] in pages))
			print "refers to no page: " name
}
