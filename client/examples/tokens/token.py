# SPDX-License-Identifier: BSD-2-Clause
"""Tokens for the users of an application: its own server signs them, gateways verify them.

The standard library has no ES256, so that this is HS256: whoever verifies could sign, too.
The key stays on the server, and a token lasts ten minutes.

    python3 token.py app.secret ada
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys
import time


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token_maker(file):
    """A function that makes tokens with the key in a file; its name says which key it is."""
    path = pathlib.Path(file)
    key = path.read_bytes()
    head = {"alg": "HS256", "typ": "JWT", "kid": path.stem}

    def make(user, read=(), write=(), seconds=600):
        now = int(time.time())
        claims = {"sub": user, "iat": now, "exp": now + seconds,
                  "peal": {"read": list(read), "write": list(write)}}
        text = b".".join(encode(json.dumps(part).encode()) for part in (head, claims))
        return b".".join((text, encode(hmac.digest(key, text, hashlib.sha256)))).decode()

    return make


if __name__ == "__main__":
    print(token_maker(sys.argv[1])(sys.argv[2], read=["team.>"], write=["team.{sub}.>"]))
