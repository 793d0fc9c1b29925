# What gcovr says file by file (--csv), with a line for each room and for all.
BEGIN { FS = ","; form = "%-28s %6d %6.1f %% %8d %6.1f %%\n" }

function share(part, whole) {
	return whole ? 100 * part / whole : 100
}

function add(name) {
	lines[name] += $2
	lines_met[name] += $3
	branches[name] += $5
	branches_met[name] += $6
}

function show(name) {
	printf form, name, lines[name],
	    share(lines_met[name], lines[name]), branches[name],
	    share(branches_met[name], branches[name])
}

NR == 1 {
	printf "%-28s %6s %8s %8s %8s\n", "", "lines", "met", "branches", "met"
	next
}

{
	room = $1
	sub(/\/.*/, "/", room)
	if (room != last && last)
		show(last)
	last = room
	add($1)
	show($1)
	add(room)
	add("all")
}

END {
	if (last)
		show(last)
	show("all")
}
