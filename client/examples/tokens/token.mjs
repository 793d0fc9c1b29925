// SPDX-License-Identifier: BSD-2-Clause
// Tokens for the users of an application: its own server signs them, gateways verify them.
// Node without dependencies; the key stays on the server, and a token lasts ten minutes.
//
//     node token.mjs app.key ada        ES256: gateways have app.pem, the public half
//     node token.mjs app.secret ada     HS256: gateways have the same file

import { createHmac, sign } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { parse } from "node:path";
import { fileURLToPath } from "node:url";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A function that makes tokens with the key in a file; its name says which key it is. */
export function tokenMaker(file) {
  const key = readFileSync(file);
  const { name: kid, ext } = parse(file);
  const alg = ext === ".secret" ? "HS256" : "ES256";
  // r and s side by side, as RFC 7518 has them.
  const signed = (text) => alg === "HS256" ? createHmac("sha256", key).update(text).digest()
    : sign("sha256", text, { key, dsaEncoding: "ieee-p1363" });
  return (user, { read = [], write = [] }, seconds = 600) => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { sub: user, iat: now, exp: now + seconds, peal: { read, write } };
    const text = `${encode({ alg, typ: "JWT", kid })}.${encode(claims)}`;
    return `${text}.${signed(Buffer.from(text)).toString("base64url")}`;
  };
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [file, user] = process.argv.slice(2);
  const rights = { read: ["team.>"], write: ["team.{sub}.>"] };
  process.stdout.write(`${tokenMaker(file)(user, rights)}\n`);
}
