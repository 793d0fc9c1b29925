# Print the configuration keys of core/conf_keys.h as mdoc lists, one for each
# section; run on the table alone.

BEGIN {
	unit["UINT"] = "number"
	unit["POW2"] = "number"
	unit["BYTES"] = "bytes"
	unit["BYTES_POW2"] = "bytes"
	unit["MS"] = "milliseconds"
	unit["SECONDS"] = "seconds"
	unit["BOOL"] = "yes|no"
	unit["TEXT"] = "text"
	counts["LIVE"] = "A reload applies it."
	counts["START"] = "It takes a restart."
}

{ table = table $0 "\n" }

# Cut the next argument off table: a C string, or a bare word.
function argument(    c, i, word, quoted) {
	word = ""
	quoted = 0
	for (i = 1; i <= length(table); i++) {
		c = substr(table, i, 1)
		if (quoted && c == "\\") {
			i++
			word = word substr(table, i, 1)
		} else if (c == "\"")
			quoted = !quoted
		else if (!quoted && (c == "," || c == ")"))
			break
		else if (quoted || c !~ /[ \t\n]/)
			word = word c
	}
	table = substr(table, i + 1)
	return word
}

# A sentence for a reader out of a phrase for a table.
function sentence(text) {
	gsub(/\\/, "\\e", text)
	sub(/^[.']/, "\\\\\\&&", text)
	text = toupper(substr(text, 1, 1)) substr(text, 2)
	return text ~ /[.]$/ ? text : text "."
}

END {
	gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "", table)
	while ((at = index(table, "CONF_KEY(")) > 0) {
		table = substr(table, at + 9)
		section = argument()
		key = argument()
		kind = argument()
		moment = argument()
		fallback = argument()
		least = argument()
		most = argument()
		text = argument()
		if (!(kind in unit)) {
			print FILENAME ": kind " kind " is not known" >"/dev/stderr"
			exit 1
		}
		if (section != last) {
			if (last != "")
				print ".El"
			print ".Ss [" section "]"
			print ".Bl -tag -width Ds"
		}
		last = section
		seen++
		print ".It Cm " section "." key " Ns = Ns Ar " unit[kind]
		print sentence(text)
		if (kind ~ /POW2/)
			print "A power of two from " least " to " most "."
		else if (kind != "BOOL" && kind != "TEXT")
			print "From " least " to " most "."
		if (fallback == "")
			print "The default is empty."
		else
			print "The default is\n.Ql " fallback " ."
		if (!(moment in counts)) {
			print FILENAME ": " moment " is no moment" >"/dev/stderr"
			exit 1
		}
		print counts[moment]
	}
	if (!seen) {
		print FILENAME ": no keys found" >"/dev/stderr"
		exit 1
	}
	print ".El"
}
