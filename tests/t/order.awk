# Read a trace of peal-writer (strace -f -y) while one request is under way at a
# time, and complain about each message that left the process between the
# arrival of a request and the return of the fdatasync that covers it.
#
# A line is a call that returned, "PID call(...) = N", or one half of it:
# "PID call(... <unfinished ...>" and "PID <... call resumed>...) = N".  What
# leaves counts from when its call begins, what is awaited from when it returns.

{
	pid = $1
	line = $0
	sub(/^[0-9]+ +/, "", line)
	begins = returns = 1
	if (line ~ /<unfinished \.\.\.>$/) {
		returns = 0
		pending[pid] = line
	} else if (line ~ /^<\.\.\. /) {
		begins = 0
		line = pending[pid] line
	}
	call = line
	sub(/\(.*/, "", call)
	result = -1
	if (returns && match(line, /= [0-9]+( |$)/))
		result = substr(line, RSTART + 2, RLENGTH - 2) + 0
}

returns && call ~ /^(recvfrom|recvmsg|read)$/ && line ~ /append/ && result > 0 {
	requests++
	waiting = 1
	written = 0
}

returns && call ~ /^pwrite/ && line ~ /\.seg>/ && result > 0 {
	written = 1
}

returns && call == "fdatasync" && line ~ /\.seg>/ && result == 0 && written {
	flushes += waiting
	waiting = 0
}

begins && call ~ /^(sendto|sendmsg|send|write|writev)$/ && line ~ /<socket:/ {
	left++
	if (waiting) {
		print "left before its flush: " line
		wrong++
	}
}

END {
	print "requests=" requests + 0 " flushes=" flushes + 0 \
	    " left=" left + 0 " wrong=" wrong + 0
	exit wrong > 0
}
