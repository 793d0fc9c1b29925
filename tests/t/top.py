"""peal top in a pseudo terminal: what stands on the screen, and what keys do.

Usage: top.py PEAL DATA UP_PID, with `peal up` running there. Speaks TAP. The
terminal is emulated as far as a VT100 goes; bytes that it does not know are
a fault.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

DEADLINE_S = 300
peal, data, up = sys.argv[1], sys.argv[2], int(sys.argv[3])


class Screen:
    """A VT100 of rows and columns, and what it did not understand."""

    def __init__(self, rows, cols):
        self.unknown = []
        self.rest = b""
        self.resize(rows, cols)

    def resize(self, rows, cols):
        self.rows, self.cols = rows, cols
        self.cells = [[" "] * cols for _ in range(rows)]
        self.top, self.bottom = 0, rows - 1
        self.y = self.x = 0

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def down(self):
        if self.y == self.bottom:
            del self.cells[self.top]
            self.cells.insert(self.bottom, [" "] * self.cols)
        else:
            self.y = min(self.y + 1, self.rows - 1)

    def character(self, c):
        if self.x == self.cols:
            self.x = 0
            self.down()
        self.cells[self.y][self.x] = c
        self.x += 1

    def erase(self, y, first, last):
        for x in range(max(first, 0), min(last, self.cols)):
            self.cells[y][x] = " "

    def csi(self, args, final):
        n = [int(a) if a else 0 for a in args.split(";")] if args.strip("?") == args else []
        one = max(n[0], 1) if n else 1
        if final in "Hf":
            self.y = min(max(n[0], 1), self.rows) - 1
            self.x = min(max(n[1] if len(n) > 1 else 1, 1), self.cols) - 1
        elif final == "A":
            self.y = max(self.y - one, 0)
        elif final == "B":
            self.y = min(self.y + one, self.rows - 1)
        elif final == "C":
            self.x = min(self.x + one, self.cols - 1)
        elif final == "D":
            self.x = max(min(self.x, self.cols - 1) - one, 0)
        elif final == "J":
            self.erase(self.y, self.x if n[0] == 0 else 0, self.cols if n[0] != 1 else self.x + 1)
            for y in range(self.rows):
                if (n[0] == 0 and y > self.y) or (n[0] == 1 and y < self.y) or n[0] == 2:
                    self.erase(y, 0, self.cols)
        elif final == "K":
            self.erase(self.y, self.x if n[0] == 0 else 0, self.cols if n[0] != 1 else self.x + 1)
        elif final == "r":
            self.top = max(n[0], 1) - 1
            self.bottom = (min(n[1], self.rows) if len(n) > 1 and n[1] else self.rows) - 1
            self.y = self.x = 0
        elif final not in "mhlg":
            self.unknown.append(f"CSI {args}{final}")

    def feed(self, data):
        text = self.rest + data
        self.rest = b""
        i = 0
        while i < len(text):
            c = text[i : i + 1]
            if c == b"\x1b":
                m = re.match(rb"\x1b\[([0-9;?]*)([A-Za-z@`])", text[i:])
                short = re.match(rb"\x1b([()][A-Z0-9]|[78=>MHc])", text[i:])
                if m:
                    self.csi(m[1].decode(), m[2].decode())
                    i += m.end()
                elif short:
                    if short[1] == b"M" and self.y == self.top:
                        del self.cells[self.bottom]
                        self.cells.insert(self.top, [" "] * self.cols)
                    elif short[1] == b"M":
                        self.y = max(self.y - 1, 0)
                    i += short.end()
                elif len(text) - i < 16:
                    self.rest = text[i:]
                    return
                else:
                    self.unknown.append(repr(text[i : i + 8]))
                    i += 1
            elif c == b"\r":
                self.x = 0
                i += 1
            elif c == b"\n":
                self.down()
                i += 1
            elif c == b"\b":
                self.x = max(min(self.x, self.cols - 1) - 1, 0)
                i += 1
            elif c == b"\t":
                self.x = min((self.x // 8 + 1) * 8, self.cols - 1)
                i += 1
            elif c in b"\x0e\x0f\x00":
                i += 1
            elif c < b" " or c >= b"\x7f":
                self.unknown.append(repr(c))
                i += 1
            else:
                self.character(c.decode())
                i += 1


class Top:
    """peal top on a terminal of its own."""

    def __init__(self, rows=24, cols=80, term="vt100", more=()):
        self.screen = Screen(rows, cols)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM=term, LC_ALL="C")
            os.environ.pop("LINES", None)
            os.environ.pop("COLUMNS", None)
            # The size is there before the program asks for it.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
            os.execv(peal, [peal, "top", "--data", data, *more])

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            return False
        self.screen.feed(got)
        return bool(got)

    def until(self, found):
        end = time.monotonic() + DEADLINE_S
        while not found(self.screen.lines()):
            if time.monotonic() > end or not self.read(0.2):
                print("# the screen, at last:")
                for line in self.screen.lines():
                    print("# |" + line)
                return False
        return True

    def press(self, keys):
        os.write(self.fd, keys.encode())

    def resize(self, rows, cols):
        self.screen.resize(rows, cols)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def ends(self):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if self.fd >= 0:
                self.read(0.05)
        return None


count = 0


def verdict(name, good):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)


def row_of(lines, word):
    """The first line that ends with it; -1: none does."""
    return next((i for i, line in enumerate(lines) if line.endswith(" " + word)), -1)


def append(lines):
    path = os.path.join(data, "lines.jsonl")
    with open(path, "w") as f:
        for n, (topic, size) in enumerate(lines):
            print(json.dumps({"topic": topic, "type": "set", "data": {"n": n, "at": time.time(), "x": "x" * size}}), file=f)
    subprocess.run([peal, "import", path, "--data", data], check=True, capture_output=True)
    os.unlink(path)


def appears(top, topic):
    """It has read all that was appended so far: this topic, too, at last."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        append([(topic, 10)])
        for _ in range(20):
            if row_of(top.screen.lines(), topic) > 0:
                return True
            top.read(0.1)
    return False


def anonymous(pid):
    """Kilobytes of its own."""
    return int(re.search(r"RssAnon:\s*(\d+)", open(f"/proc/{pid}/status").read())[1])


def follow():
    return subprocess.Popen(
        [peal, "tail", "--data", data, "--url", open(os.path.join(data, "run/url")).read().strip(), ">"],
        stdout=subprocess.DEVNULL,
    )


def first_page():
    directory = os.path.join(data, "run/stat/clients")
    return os.path.join(directory, sorted(os.listdir(directory))[0])


print("1..18")

# The judge itself: what it knows, and that it does not know everything.
s = Screen(3, 5)
s.feed(b"\x1b[2;2Hab\x1b[1;4Hxyz\x1b[3;1H\x1b(Bq\x1b[1K\x1b[H\x1b[J")
verdict("the emulator empties a screen", s.lines() == ["", "", ""] and not s.unknown)
s.feed(b"\x1b[2;4Hxyz\x1b]0;evil\x07" + 16 * b" ")
verdict("and knows what it does not know", s.unknown == ["b'\\x1b]0;evil'", "b'\\x07'"])

top = Top()
verdict(
    "it shows the ring",
    top.until(lambda l: l[0].startswith("ring RUNNING") and l[23].startswith("q quit")),
)
append([("top.many", 10)] * 300 + [("top.large", 60000)] * 3)
verdict(
    "topics are listed by events",
    top.until(lambda l: 1 < row_of(l, "top.many") < row_of(l, "top.large")),
)
top.press("b")
verdict(
    "and by bytes, at a key",
    top.until(lambda l: 1 < row_of(l, "top.large") < row_of(l, "top.many") and "topic, by bytes/s" in l[1]),
)
top.press("n")
append([("top.aaa", 10)])
verdict("and by name", top.until(lambda l: 1 < row_of(l, "top.aaa") < row_of(l, "top.large")))

tail = follow()
verdict("clients are listed", top.until(lambda l: row_of(l, "dev") > row_of(l, "top.aaa") > 0))
with open(first_page(), "r+b") as page:
    for slot in range(16384):
        page.seek(4096 + 128 * slot + 60)
        if page.read(1) not in b"\0\6":
            page.seek(4096 + 128 * slot + 64)
            page.write(b"\x08\x1b[2Jevil")
            break
verdict(
    "a hostile name is written out",
    top.until(lambda l: row_of(l, "\\x1b[2Jevil") > 0) if page else False,
)

# Scrolled to the second client, which then goes.
top.press("\t\t")
second = follow()
moved = top.until(lambda l: row_of(l, "dev") > 1)
for _ in range(DEADLINE_S):
    if moved and row_of(top.screen.lines(), "\\x1b[2Jevil") > 0:
        top.press("\x1bOB")
        top.read(1)
second.kill()
second.wait()
verdict(
    "a list that got shorter is seen from its end",
    moved and top.until(lambda l: row_of(l, "\\x1b[2Jevil") > 1 and row_of(l, "dev") < 0),
)
top.press("\t")

top.resize(10, 40)
verdict(
    "it fits a smaller terminal",
    top.until(lambda l: l[0].startswith("ring RUNNING") and l[9].startswith("q quit") and len(l[9]) == 40),
)
for size in ((1, 1), (2, 300), (3, 2)):
    top.resize(*size)
    top.until(lambda l: l[0] != "")
top.resize(50, 200)
verdict(
    "and a larger one, by way of tiny ones",
    top.until(lambda l: l[0].startswith("ring RUNNING") and l[49].startswith("q quit") and row_of(l, "top.many") > 0),
)
top.press(" ")
verdict("it can stand still", top.until(lambda l: "paused" in l[0]))
top.press(" ")

os.kill(int(re.search(r"pid (\d+)", subprocess.check_output([peal, "ring", "--data", data], text=True))[1]), signal.SIGKILL)
end = time.monotonic() + DEADLINE_S
while time.monotonic() < end:
    try:
        append([("top.after", 10)])
        break
    except subprocess.CalledProcessError:
        pass
verdict("it goes on with a new writer", top.until(lambda l: row_of(l, "top.after") > 0))

# What there is room for, and then many more: that costs nothing.
append([(f"flood.{n}", 10) for n in range(10000)])
full = appears(top, "aaa.full")
before = anonymous(top.pid)
append([(f"flood.{n}", 10) for n in range(10000, 40000)])
full = full and appears(top, "aaa.over")
after = anonymous(top.pid)
print(f"# {before} kB after 10,000 topics, {after} kB after 40,000")
verdict("any number of topics costs bounded memory", full and after < before + 1024 and after < 40000)

top.press("q")
verdict("q ends it, and nothing that a terminal would not know was written", top.ends() == 0 and not top.screen.unknown)
if top.screen.unknown:
    print("#", top.screen.unknown[:5])

top = Top()
top.until(lambda l: l[0] != "")
os.kill(top.pid, signal.SIGTERM)
verdict("so does SIGTERM", top.ends() == 0)
later = os.path.join(data, "later")
top = Top(more=["-o", "ring.directory=" + later])
none = top.until(lambda l: l[0].startswith("cannot open"))
os.symlink(os.path.join(data, "run"), later)
verdict("a ring that comes later is shown", none and top.until(lambda l: l[0].startswith("ring RUNNING")))
os.unlink(later)
top.press("q")
top.ends()
top = Top()
top.until(lambda l: l[0] != "")
os.close(top.fd)
top.fd = -1
verdict("and a terminal that has gone", top.ends() is not None)
tail.kill()
