"""Run a command on a terminal of its own, until it shows a text; then q.

Usage: onpty.py TEXT COMMAND... What it has drawn by then is printed, without
what moves the cursor; the status is the command's.
"""

import os
import pty
import re
import sys

pid, fd = pty.fork()
if pid == 0:
    os.environ.update(TERM="vt100", LINES="24", COLUMNS="80")
    os.execvp(sys.argv[2], sys.argv[2:])
drawn, asked = b"", False
while True:
    try:
        got = os.read(fd, 65536)
    except OSError:
        break
    drawn += got if not asked else b""
    if not got:
        break
    if not asked and sys.argv[1].encode() in drawn:
        os.write(fd, b"q")
        asked = True
lines = re.sub(rb"\x1b(\[[0-9;?]*[A-Za-z]|[()].|.)|[\x0e\x0f]", b"\n", drawn)
print("\n".join(x for x in lines.decode().splitlines() if x.strip()))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
