# Whether what a command printed (second file) is what its example shows
# (first file).  In what is shown, "..." stands for anything within a line, and
# a line of nothing else for any lines; white space counts once, and one time is
# as good as another.  An example that shows nothing says nothing about it.

function squeezed(line) {
	gsub(/[ \t]+/, " ", line)
	gsub(/20[0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9:]+\.[0-9]+/, "TIME", line)
	gsub(/1[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]/,
	    "MICROSECONDS", line)
	sub(/ $/, "", line)
	return line
}

function pattern(line) {
	gsub(/[][\\.*^$+?(){}|]/, "\\\\&", line)
	gsub(/\\\.\\\.\\\./, ".*", line)
	return "^" line "$"
}

# Lines of what is shown from i on match those printed from j on.
function matches(i, j) {
	for (; i <= shown; i++) {
		if (want[i] == "...") {
			for (; j <= printed + 1; j++)
				if (matches(i + 1, j))
					return 1
			return 0
		}
		if (j > printed || have[j] !~ pattern(want[i]))
			return 0
		j++
	}
	return j > printed
}

NR == FNR { want[++shown] = squeezed($0); next }
{ have[++printed] = squeezed($0) }
END { exit !shown || matches(1, 1) ? 0 : 1 }
