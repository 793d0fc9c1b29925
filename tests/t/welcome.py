# SPDX-License-Identifier: BSD-2-Clause
"""welcome.py PORT CAFILE TOKENFILE SUBPROTOCOL: say hello to a gateway, and print what
it answers as it comes, one message."""

import base64
import os
import socket
import ssl
import sys


def exactly(sock, n):
    data = b""
    while len(data) < n:
        got = sock.recv(n - len(data))
        if not got:
            raise EOFError("the gateway has ended the connection")
        data += got
    return data


def hello(token, subprotocol):
    if subprotocol.endswith("json"):
        return 1, b'{"op":"hello","id":1,"v":1,"token":"%s"}' % token
    return 2, (b"\x84\xa2op\xa5hello\xa2id\x01\xa1v\x01\xa5token\xda" +
               len(token).to_bytes(2, "big") + token)


def main(port, cafile, token_file, subprotocol):
    with open(token_file, "rb") as f:
        opcode, body = hello(f.read().strip(), subprotocol)
    context = ssl.create_default_context(cafile=cafile)
    sock = context.wrap_socket(
        socket.create_connection(("127.0.0.1", int(port)), timeout=300),
        server_hostname="localhost")
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET /v1/ws HTTP/1.1\r\nHost: localhost:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += exactly(sock, 1)
    if b" 101 " not in head.split(b"\r\n")[0]:
        raise SystemExit(head.decode())
    # Masked with zeros: the bytes as they are.
    sock.sendall(bytes([0x80 | opcode, 0x80 | 126]) +
                 len(body).to_bytes(2, "big") + bytes(4) + body)
    length = exactly(sock, 2)[1]
    if length == 126:
        length = int.from_bytes(exactly(sock, 2), "big")
    sys.stdout.buffer.write(exactly(sock, length))


main(*sys.argv[1:])
