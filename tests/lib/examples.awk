# Take the examples out of a page in mdoc: into DIRECTORY/N.run a command as the
# shell reads it, and into DIRECTORY/N.out the lines that it shows below; what
# is a configuration goes into DIRECTORY/N.conf.  N counts from the variable
# "from" on.

function plain(line) {
	sub(/^\\&/, "", line)
	gsub(/\\-/, "-", line)
	gsub(/\\e/, "\\", line)
	return line
}

BEGIN { n = from }

/^\.Sh/ { inside = /^\.Sh EXAMPLES/ }
/^\.Bd/ && inside { literal = 1; file = ""; next }
/^\.Ed/ { literal = 0; more = 0 }
!literal { next }

more || /^\$ / {
	line = plain($0)
	if (!more) {
		n++
		sub(/^\$ /, "", line)
		file = into "/" n ".run"
		printf "" >(into "/" n ".out")
	}
	more = line ~ /\\$/
	print line >file
	next
}

file == "" {
	n++
	file = into "/" n ".conf"
}

file ~ /\.conf$/ { print plain($0) >file }
file ~ /\.run$/ { print plain($0) >(into "/" n ".out") }
