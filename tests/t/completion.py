"""Type into an interactive bash that has the completion: it is used as read
from a terminal, where readline breaks the words."""
import os
import pty
import select
import sys
import time

completion, peal = sys.argv[1:3]
DEADLINE = 300

pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(PS1="> ", TERM="dumb", HISTFILE="",
                      PATH=os.path.dirname(peal) + ":" + os.environ["PATH"])
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])

seen = ""


def until(text):
    """Read what the terminal shows until it shows that."""
    global seen
    end = time.monotonic() + DEADLINE
    while text not in seen:
        if not select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
            sys.exit("never shown: %r, but %r" % (text, seen))
        seen += os.read(terminal, 4096).decode(errors="replace")
    seen = seen[seen.index(text) + len(text):]


def type_in(text):
    os.write(terminal, text.encode())


until("> ")
type_in(". '%s'; echo re''ady\n" % completion)
until("\nready")
until("> ")
type_in("peal appe\t")
until("append ")
type_in("--expe\t")
until("--expect ")
type_in("exi\t")
until("exists ")
type_in("-o ring.sl\t")
until("ring.slots=")
type_in("\x15exit\n")
os.waitpid(pid, 0)
