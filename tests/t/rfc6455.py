#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A WebSocket client that judges a server which echoes, by RFC 6455.

usage: rfc6455.py PORT [CAFILE]

Speaks TAP.  A case is what is sent, whole or cut, and the list of what has to
come back: messages, pongs, the close code, and the end of the connection.
The judge itself is shown answers it has to refuse first.  Nothing here sleeps:
whatever is waited for has a deadline.
"""
import base64
import hashlib
import os
import socket
import ssl
import struct
import sys

DEADLINE = 300.0
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
END = ("end",)


class Wrong(Exception):
    pass


def xor(data, key):
    n = len(data)
    keys = (key * (n // 4 + 1))[:n]
    return (int.from_bytes(data, "little") ^
            int.from_bytes(keys, "little")).to_bytes(n, "little")


def frame(opcode, payload=b"", fin=1, rsv=0, masked=True, width=None,
          declared=None, key=b"\x37\xfa\x21\x3d"):
    """The bytes of a frame; width 2 or 8: a length that is not shortest."""
    n = len(payload) if declared is None else declared
    if width is None:
        width = 0 if n < 126 else 2 if n < 65536 else 8
    short = {0: n, 2: 126, 8: 127}[width]
    head = bytes([fin << 7 | rsv << 4 | opcode, masked << 7 | short])
    head += {0: b"", 2: struct.pack(">H", n & 0xffff),
             8: struct.pack(">Q", n)}[width]
    return head + (key + xor(payload, key) if masked else payload)


def close(code=1000, reason=b""):
    return frame(CLOSE, struct.pack(">H", code) + reason)


class Peer:
    """A connection that has been upgraded, and what came on it."""

    def __init__(self, port, context):
        self.sock = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.sock = context.wrap_socket(
                self.sock, server_hostname="localhost")
        self.data = b""
        self.at = 0
        self.ended = False

    def write(self, data, piece=None):
        view = memoryview(data)
        step = piece or len(view) or 1
        try:
            for i in range(0, len(view), step):
                self.sock.sendall(view[i:i + step])
        except (BrokenPipeError, ConnectionResetError):
            pass  # what was said before is still to be read

    def more(self):
        if self.ended:
            raise Wrong("the connection has ended")
        try:
            got = self.sock.recv(1 << 20)
        except ConnectionResetError:
            raise Wrong("the connection was reset")
        if not got:
            self.ended = True
            raise Wrong("the connection has ended")
        self.data = self.data[self.at:] + got
        self.at = 0

    def need(self, n):
        if len(self.data) - self.at < n:
            parts = [self.data[self.at:]]
            have = len(parts[0])
            self.data, self.at = b"", 0
            while have < n:
                self.more()
                parts.append(self.data)
                have += len(self.data)
                self.data = b""
            self.data = b"".join(parts)

    def take(self, n):
        self.need(n)
        self.at += n
        return self.data[self.at - n:self.at]

    def line(self):
        while b"\r\n" not in self.data[self.at:]:
            self.more()
        end = self.data.index(b"\r\n", self.at)
        line = self.data[self.at:end]
        self.at = end + 2
        return line

    def upgrade(self, path="/", more=(), key=None, version="13"):
        """The status of the answer, and its headers."""
        key = key or base64.b64encode(os.urandom(16)).decode()
        lines = ["GET %s HTTP/1.1" % path, "Host: localhost",
                 "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: %s" % version,
                 "Sec-WebSocket-Key: %s" % key, *more, "", ""]
        self.write("\r\n".join(lines).encode())
        status = self.line().split(b" ")[1]
        headers = {}
        while line := self.line():
            name, value = line.split(b": ", 1)
            headers[name.lower()] = value
        if status == b"101":
            accept = base64.b64encode(hashlib.sha1(
                key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
                .digest())
            if headers.get(b"sec-websocket-accept") != accept:
                raise Wrong("the key is answered wrongly")
        return int(status), headers

    def event(self):
        """The next message, pong or close; servers neither mask nor set bits."""
        message, kind = [], None
        while True:
            try:
                head = self.take(2)
            except Wrong:
                if self.ended and not message:
                    return END
                raise
            fin, rsv, opcode = head[0] >> 7, head[0] >> 4 & 7, head[0] & 15
            if rsv or head[1] & 128:
                raise Wrong("a frame of the server has bits set")
            n = head[1]
            if n == 126:
                n = struct.unpack(">H", self.take(2))[0]
            elif n == 127:
                n = struct.unpack(">Q", self.take(8))[0]
            payload = self.take(n)
            if opcode == CLOSE:
                if n == 0:
                    return ("close", None)
                payload[2:].decode("utf-8")
                return ("close", struct.unpack(">H", payload[:2])[0])
            if opcode in (PING, PONG):
                return ("ping" if opcode == PING else "pong", payload)
            if opcode != CONT:
                kind = "text" if opcode == TEXT else "binary"
            message.append(payload)
            if fin:
                return (kind, b"".join(message))

    def end(self):
        self.sock.close()


class Judge:
    def __init__(self, port, context):
        self.port, self.context = port, context
        self.count = self.failed = 0

    def peer(self):
        peer = Peer(self.port, self.context)
        if peer.upgrade()[0] != 101:
            raise Wrong("the upgrade was refused")
        return peer

    def look(self, sent, wanted, piece=None):
        """None, or what was wrong.  sent: bytes, or steps of (bytes, wanted).

        Unless the server is to end the connection, a close with 1000 follows,
        which it has to echo."""
        steps = sent if isinstance(sent, list) else [(sent, wanted)]
        peer = None
        try:
            peer = self.peer()
            for data, expected in steps:
                peer.write(data, piece)
                for want in expected:
                    got = peer.event()
                    if got != want:
                        return "%.100r came, not %.100r" % (got, want)
                    last = want
                    if want[0] == "close" and peer.event() != END:
                        return "something came behind the close frame"
            if not steps[-1][1] or last[0] != "close":
                peer.write(close(1000))
                for want in (("close", 1000), END):
                    got = peer.event()
                    if got != want:
                        return "%.100r came at the end" % (got,)
            return None
        except (Wrong, OSError, UnicodeDecodeError) as why:
            return str(why) or repr(why)
        finally:
            if peer:
                peer.end()

    def say(self, name, fault):
        self.count += 1
        print("%sok %d - %s" % ("not " if fault else "", self.count, name))
        if fault:
            self.failed += 1
            print("# " + fault)

    def case(self, name, sent, wanted=(), piece=None):
        self.say(name, self.look(sent, list(wanted), piece))

    def refuses(self, name, sent, wanted):
        self.say(name, None if self.look(sent, wanted) else
                 "the judge took what is wrong")


def judged(j):
    hello = frame(TEXT, b"hello")
    j.refuses("the judge sees another text", hello, [("text", b"hullo")])
    j.refuses("the judge sees another kind", hello, [("binary", b"hello")])
    j.refuses("the judge sees a missing answer", hello + close(),
              [("text", b"hello"), ("pong", b""), ("close", 1000)])
    j.refuses("the judge sees one too many", hello + hello + close(),
              [("text", b"hello"), ("close", 1000)])
    j.refuses("the judge sees another close code",
              frame(3), [("close", 1000)])
    j.refuses("the judge sees a close that is none", hello, [("close", 1000)])


def framing(j):
    for n in (0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 1 << 20):
        text, data = b"*" * n, bytes(i & 255 for i in range(n))
        j.case("text of %d bytes comes back" % n,
               frame(TEXT, text), [("text", text)])
        j.case("binary of %d bytes comes back" % n,
               frame(BINARY, data), [("binary", data)])
    for piece in (1, 7, 997):
        text = b"*" * (300 if piece == 1 else 65536)
        j.case("text in writes of %d bytes comes back" % piece,
               frame(TEXT, text), [("text", text)], piece)
        j.case("binary in writes of %d bytes comes back" % piece,
               frame(BINARY, text), [("binary", text)], piece)
    for key in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\1\2\3"):
        j.case("any masking key is taken off: %s" % key.hex(),
               frame(BINARY, b"12345678", key=key), [("binary", b"12345678")])
    j.case("100 messages in one write come back in order",
           b"".join(frame(TEXT, b"%d" % i) for i in range(100)),
           [("text", b"%d" % i) for i in range(100)])


def heads(j):
    hello, back = frame(TEXT, b"hello"), ("text", b"hello")
    for opcode, kind in ((TEXT, "text"), (BINARY, "binary"), (PING, "ping"),
                         (CLOSE, "close")):
        j.case("a %s frame that is not masked: 1002" % kind,
               hello + frame(opcode, masked=False), [back, ("close", 1002)])
        for rsv in range(1, 8):
            j.case("reserved bits %d of a %s frame: 1002" % (rsv, kind),
                   hello + frame(opcode, b"", rsv=rsv),
                   [back, ("close", 1002)])
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        j.case("opcode %d: 1002" % opcode,
               hello + frame(opcode) + frame(PING), [back, ("close", 1002)])
        j.case("opcode %d with payload, byte by byte: 1002" % opcode,
               frame(opcode, b"payload"), [("close", 1002)], 1)
    for n, width in ((0, 2), (125, 2), (0, 8), (126, 8), (65535, 8)):
        j.case("%d as a length of %d bytes is not shortest: 1002" % (n, width),
               frame(BINARY, b"x" * n, width=width), [("close", 1002)])
    for n, code in ((1 << 63, 1002), ((1 << 64) - 1, 1002),
                    ((1 << 63) - 1, 1009), (1 << 32, 1009),
                    ((16 << 20) + 1, 1009)):
        j.case("a length of %d is refused by its head: %d" % (n, code),
               frame(BINARY, declared=n), [("close", code)])
    j.case("fragments that add up to more than 16 MiB: 1009",
           frame(BINARY, b"a", fin=0) + frame(CONT, declared=16 << 20),
           [("close", 1009)])


def control(j):
    for payload in (b"", b"hello", bytes(range(256))[131:256], b"\0\xff\xfe"):
        j.case("a ping of %d bytes is answered with the same" % len(payload),
               frame(PING, payload), [("pong", payload)])
    full = b"\xfe" * 125
    j.case("a ping of 125 bytes byte by byte is answered",
           frame(PING, full), [("pong", full)], 1)
    for opcode, kind in ((PING, "ping"), (PONG, "pong"), (CLOSE, "close")):
        j.case("a %s of 126 bytes: 1002" % kind,
               frame(opcode, b"\x03\xe8" + b"a" * 124), [("close", 1002)])
        j.case("a %s in fragments: 1002" % kind,
               frame(opcode, b"\x03\xe8", fin=0) + frame(CONT, b""),
               [("close", 1002)])
    j.case("a pong that nobody asked for is not answered", frame(PONG))
    j.case("neither is one with payload", frame(PONG, b"unasked"))
    j.case("a pong, then a ping: one answer",
           frame(PONG, b"unasked") + frame(PING, b"asked"),
           [("pong", b"asked")])
    pings = b"".join(frame(PING, b"payload-%d" % i) for i in range(10))
    pongs = [("pong", b"payload-%d" % i) for i in range(10)]
    j.case("ten pings in one write are answered in order", pings, pongs)
    j.case("ten pings byte by byte are answered in order", pings, pongs, 1)
    j.case("ten pings, one after the other, are answered",
           [(frame(PING, p), [("pong", p)]) for _, p in pongs], [])
    j.case("pings and messages are answered in order",
           b"".join(frame(PING, b"%d" % i) + frame(TEXT, b"%d" % i)
                    for i in range(20)),
           [(k, b"%d" % i) for i in range(20) for k in ("pong", "text")])


def fragments(j):
    for opcode, kind in ((TEXT, "text"), (BINARY, "binary")):
        two = frame(opcode, b"one ", fin=0) + frame(CONT, b"two")
        j.case("%s in two fragments is one message" % kind,
               two, [(kind, b"one two")])
        j.case("%s in two fragments byte by byte is one message" % kind,
               two, [(kind, b"one two")], 1)
        j.case("%s with a ping between its fragments" % kind,
               frame(opcode, b"one ", fin=0) + frame(PING, b"p") +
               frame(CONT, b"two"), [("pong", b"p"), (kind, b"one two")])
        j.case("%s with a ping between its fragments, in steps" % kind,
               [(frame(opcode, b"one ", fin=0), []),
                (frame(PING, b"p"), [("pong", b"p")]),
                (frame(CONT, b"two"), [(kind, b"one two")])], [])
        for where in ("first", "middle", "last", "every"):
            parts = [b"a", b"b", b"c"]
            for i, at in enumerate(("first", "middle", "last")):
                if where in (at, "every"):
                    parts[i] = b""
            j.case("%s whose %s fragment is empty" % (kind, where),
                   frame(opcode, parts[0], fin=0) +
                   frame(CONT, parts[1], fin=0) + frame(CONT, parts[2]),
                   [(kind, b"".join(parts))])
        for second in (TEXT, BINARY):
            j.case("%s within %s: 1002" % (
                "text" if second == TEXT else "binary", kind),
                   frame(opcode, b"one", fin=0) + frame(second, b"two"),
                   [("close", 1002)])
    for fin in (0, 1):
        nothing = frame(CONT, b"of nothing", fin=fin)
        j.case("a continuation of nothing, fin %d: 1002" % fin,
               nothing + frame(TEXT, b"hello"), [("close", 1002)])
        j.case("a continuation of nothing byte by byte, fin %d: 1002" % fin,
               nothing, [("close", 1002)], 1)
        j.case("a continuation behind a whole message, fin %d: 1002" % fin,
               frame(TEXT, b"one ", fin=0) + frame(CONT, b"two") + nothing,
               [("text", b"one two"), ("close", 1002)])
    four = [frame(TEXT, b"fragment1", fin=0), frame(CONT, b"fragment2", fin=0),
            frame(CONT, b"fragment3", fin=0), frame(CONT, b"fragment4")]
    whole = ("text", b"fragment1fragment2fragment3fragment4")
    j.case("four fragments with pings between all of them",
           frame(PING, b"p").join(four), [("pong", b"p")] * 3 + [whole])
    j.case("the same byte by byte",
           frame(PING, b"p").join(four), [("pong", b"p")] * 3 + [whole], 1)
    j.case("1,000 fragments of one byte are one message",
           frame(BINARY, b"x", fin=0) + frame(CONT, b"x", fin=0) * 998 +
           frame(CONT, b"x"), [("binary", b"x" * 1000)])
    j.case("1,000 empty fragments are one empty message",
           frame(TEXT, b"", fin=0) + frame(CONT, b"", fin=0) * 998 +
           frame(CONT, b""), [("text", b"")])


GOOD = [
    "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!",
    "\u03ba\u1f79\u03c3\u03bc\u03b5", "\0", "\x7f", "\u0080", "\u07ff",
    "\u0800", "\ud7ff", "\ue000", "\ufffd", "\ufffe", "\uffff", "\U00010000",
    "\U0001fffe", "\U0001ffff", "\U0008fffe", "\U000fffff", "\U0010ffff",
    "\ufeffbom", "e\u0301", "\U0001f468\u200d\U0001f469\u200d\U0001f466",
]

# No UTF-8, and how many bytes of it are before the first that cannot be.
BAD = [
    (b"\x80", 0), (b"\xbf", 0), (b"\x80\xbf" * 4, 0), (b"\xfe", 0),
    (b"\xff", 0), (b"\xfe\xfe\xff\xff", 0), (b"\xc0\xaf", 0), (b"\xc1\xbf", 0),
    (b"\xe0\x80\xaf", 1), (b"\xe0\x9f\xbf", 1), (b"\xf0\x80\x80\xaf", 1),
    (b"\xf0\x8f\xbf\xbf", 1), (b"\xf8\x80\x80\x80\xaf", 0),
    (b"\xfc\x80\x80\x80\x80\xaf", 0), (b"\xc0\x80", 0), (b"\xe0\x80\x80", 1),
    (b"\xf0\x80\x80\x80", 1), (b"\xed\xa0\x80", 1), (b"\xed\xad\xbf", 1),
    (b"\xed\xae\x80", 1), (b"\xed\xbf\xbf", 1), (b"\xed\xa0\x80\xed\xb0\x80", 1),
    (b"\xf4\x90\x80\x80", 1), (b"\xf5\x80\x80\x80", 0),
    (b"\xf7\xbf\xbf\xbf", 0), (b"\xfb\xbf\xbf\xbf\xbf", 0),
    (b"\xc3\x28", 1), (b"\xe2\x28\xa1", 1), (b"\xe2\x82\x28", 2),
    (b"\xf0\x28\x8c\xbc", 1), (b"\xf0\x90\x28\xbc", 2),
    (b"\xf0\x90\x8c\x28", 3), (b"\xc2\xc2\xa0", 1),
    (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", 12),
]

CUT = [b"\xc3", b"\xe2", b"\xe2\x82", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x8c",
       b"abc\xce", b"\xce\xba\xe1\xbd"]


def utf8(j):
    for text in GOOD:
        data = text.encode()
        name = data.hex()[:40]
        j.case("text %s comes back" % name, frame(TEXT, data),
               [("text", data)])
        j.case("text %s byte by byte comes back" % name, frame(TEXT, data),
               [("text", data)], 1)
        j.case("text %s in fragments of one byte comes back" % name,
               b"".join(frame(TEXT if i == 0 else CONT, data[i:i + 1],
                              fin=i == len(data) - 1)
                        for i in range(len(data))), [("text", data)])
    for data, good in BAD:
        name = data.hex()[:40]
        j.case("text %s is none: 1007" % name, frame(TEXT, data),
               [("close", 1007)])
        # The frame is not even over, and neither is the message.
        begun = frame(TEXT, b"abc" + data + b"a" * 60, fin=0)
        j.case("text %s is refused at its byte %d: 1007" % (name, good),
               [(begun[:9 + good], []),
                (begun[9 + good:10 + good], [("close", 1007)])], [])
        j.case("binary %s comes back" % name, frame(BINARY, data),
               [("binary", data)])
    for data in CUT:
        j.case("text that ends with %s is none: 1007" % data.hex(),
               frame(TEXT, data), [("close", 1007)])
        j.case("text that ends with %s in fragments is none: 1007" %
               data.hex(), frame(TEXT, data, fin=0) + frame(CONT, b""),
               [("close", 1007)])
        j.case("text that is cut behind %s goes on" % data.hex(),
               [(frame(TEXT, data, fin=0), []), (frame(PING), [("pong", b"")]),
                (frame(CONT, b"\xff"), [("close", 1007)])], [])
    bad = frame(TEXT, b"\xf4\x90" + b"a" * 100)
    j.case("text is refused before its frame is over: 1007", bad[:8],
           [("close", 1007)])
    j.case("the same, where it comes byte by byte", bad[:8],
           [("close", 1007)], 1)
    j.case("text is refused before its message is over: 1007",
           [(frame(TEXT, GOOD[1].encode(), fin=0), []),
            (frame(PING), [("pong", b"")]),
            (frame(CONT, b"\xf4\x90\x80\x80", fin=0), [("close", 1007)])], [])


def closing(j):
    j.case("a close frame without a code is answered with one without",
           frame(CLOSE), [("close", None)])
    j.case("a close frame of one byte: 1002", frame(CLOSE, b"a"),
           [("close", 1002)])
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012,
                 1013, 1014, 3000, 3999, 4000, 4999):
        j.case("close code %d comes back" % code, close(code),
               [("close", code)])
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000,
                 2999, 5000, 65535):
        j.case("close code %d: 1002" % code, close(code), [("close", 1002)])
    j.case("a close frame with a reason is answered",
           close(1000, b"Hello World!"), [("close", 1000)])
    j.case("a reason of 123 bytes is taken", close(1000, b"*" * 123),
           [("close", 1000)])
    j.case("a reason of 124 bytes: 1002", close(1000, b"*" * 124),
           [("close", 1002)])
    j.case("a reason byte by byte is taken",
           close(1001, "\u03ba\u1f79\u03c3".encode()), [("close", 1001)], 1)
    for data in (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80",
                 b"\xff", b"\xc3"):
        j.case("a reason that is no UTF-8, %s: 1007" % data.hex()[-6:],
               close(1000, data), [("close", 1007)])
    hello = frame(TEXT, b"hello")
    j.case("a message, then a close", hello + close(),
           [("text", b"hello"), ("close", 1000)])
    j.case("two closes are answered with one", close() + close(),
           [("close", 1000)])
    j.case("a ping behind a close is not answered",
           close() + frame(PING, b"late"), [("close", 1000)])
    j.case("a message behind a close is not answered", close() + hello,
           [("close", 1000)])
    j.case("a close within a message ends it",
           frame(TEXT, b"one", fin=0) + close() + frame(CONT, b"two"),
           [("close", 1000)])
    j.case("a quarter of a megabyte behind a close is not answered",
           frame(TEXT, b"BAsd7&jh23" * 26214) + close() +
           frame(BINARY, b"a" * 262144),
           [("text", b"BAsd7&jh23" * 26214), ("close", 1000)])


def large(j):
    text, data = b"BAsd7&jh23" * 1677721 + b"123456", os.urandom(16 << 20)
    j.case("text of 16 MiB comes back", frame(TEXT, text), [("text", text)])
    j.case("binary of 16 MiB comes back", frame(BINARY, data),
           [("binary", data)])
    for size in (64 << 10, 1 << 10, 64):
        parts = [data[i:i + size] for i in range(0, 1 << 20, size)]
        j.case("1 MiB in fragments of %d bytes comes back" % size,
               frame(BINARY, parts[0], fin=0) +
               b"".join(frame(CONT, p, fin=0) for p in parts[1:-1]) +
               frame(CONT, parts[-1]), [("binary", data[:1 << 20])])
    j.case("16 MiB in fragments of 64 KiB come back as one text",
           frame(TEXT, text[:65536], fin=0) +
           b"".join(frame(CONT, text[i:i + 65536], fin=i + 65536 >= len(text))
                    for i in range(65536, len(text), 65536)),
           [("text", text)])
    j.case("100,000 fragments of one byte come back",
           frame(BINARY, b"x", fin=0) + frame(CONT, b"x", fin=0) * 99998 +
           frame(CONT, b"x"), [("binary", b"x" * 100000)])
    for piece in (64, 1024):
        j.case("1 MiB of text in writes of %d bytes comes back" % piece,
               frame(TEXT, text[:1 << 20]), [("text", text[:1 << 20])], piece)
    for n, size in ((1000, 0), (1000, 16), (500, 4096), (50, 65536)):
        j.case("%d messages of %d bytes, one after the other" % (n, size),
               [(frame(BINARY, data[:size]), [("binary", data[:size])])] * n,
               [])


def handshake(j):
    def status(name, wanted, **how):
        peer = Peer(j.port, j.context)
        try:
            got, headers = peer.upgrade(**how)
            fault = None if got == wanted else "status %d" % got
            if got == 426 and headers.get(b"sec-websocket-version") != b"13":
                fault = "the version that is served is not named"
            if b"sec-websocket-extensions" in headers:
                fault = "an extension was negotiated"
        except (Wrong, OSError) as why:
            fault = str(why)
        peer.end()
        j.say(name, fault)

    status("a path with a query is served", 101, path="/a/b?c=d")
    status("permessage-deflate is offered and not taken", 101, more=[
        "Sec-WebSocket-Extensions: permessage-deflate; "
        "client_max_window_bits"])
    status("so are extensions that nobody knows", 101,
           more=["Sec-WebSocket-Extensions: x-a, x-b; c=\"d\""])
    status("version 8 is refused and 13 named", 426, version="8")
    status("version 14 is refused and 13 named", 426, version="14")
    status("a key of 15 bytes is refused", 400,
           key=base64.b64encode(b"a" * 15).decode())
    status("a key that is no base64 is refused", 400, key="!" * 22 + "==")


def main():
    context = None
    if len(sys.argv) > 2:
        context = ssl.create_default_context(cafile=sys.argv[2])
    j = Judge(int(sys.argv[1]), context)
    for group in (judged, framing, heads, control, fragments, utf8, closing,
                  large, handshake):
        group(j)
    print("1..%d" % j.count)
    return 1 if j.failed else 0


if __name__ == "__main__":
    sys.exit(main())
