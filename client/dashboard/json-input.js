// SPDX-License-Identifier: BSD-2-Clause

// Reads JSON that a person typed. What is wrong is said in plain words with its place;
// keys that appear twice are refused, and integers beyond 2^53 stay exact, as BigInt.

const DEPTH = 30;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const ESCAPES = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  "/": "/",
  "\\": "\\",
  '"': '"',
};
const WORDS = { true: true, false: false, null: null };
const MIN = -(2n ** 63n);
const MAX = 2n ** 64n - 1n;

/** Where reading stopped, and why. */
export class JsonFault extends Error {
  constructor(words, text, at) {
    const before = text.slice(0, at).split("\n");
    const line = before.length;
    const column = [...before.at(-1)].length + 1;
    super(`Line ${line}, column ${column}: ${words}`);
    this.at = at;
  }
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail(words, at = this.at) {
    throw new JsonFault(words, this.text, at);
  }

  get next() {
    return this.text[this.at];
  }

  space() {
    while (this.at < this.text.length && " \t\n\r".includes(this.next)) this.at++;
  }

  found() {
    if (this.at >= this.text.length) return "the text ends";
    return `there is ${JSON.stringify(String.fromCodePoint(this.text.codePointAt(this.at)))}`;
  }

  value(depth) {
    this.space();
    if (depth > DEPTH) this.fail(`more than ${DEPTH} levels of lists and objects`);
    const c = this.next;
    if (c === "{") return this.object(depth);
    if (c === "[") return this.array(depth);
    if (c === '"') return this.string();
    if (c === "-" || (c >= "0" && c <= "9")) return this.number();
    return this.word();
  }

  word() {
    const [word] =
      /^[\p{L}_$][\p{L}\p{N}_$]*/u.exec(this.text.slice(this.at, this.at + 40)) ?? [];
    if (word !== undefined && Object.hasOwn(WORDS, word)) {
      this.at += word.length;
      return WORDS[word];
    }
    if (word !== undefined)
      this.fail(`${word} is no value; text needs double quotes: "${word}"`);
    if (this.next === "'") this.fail("text needs double quotes, not single ones");
    return this.fail(`a value is missing: ${this.found()}`);
  }

  number() {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (!match) this.fail("a digit has to follow the minus");
    const end = this.at + match[0].length;
    if (/[\d.]/.test(this.text[end] ?? "")) {
      this.fail(`${match[0]}${this.text[end]}… is no number that JSON has`);
    }
    const whole = match[1] === undefined && match[2] === undefined;
    const number = Number(match[0]);
    if (!Number.isFinite(number)) this.fail(`${match[0]} is too large`);
    if (whole && !Number.isSafeInteger(number)) {
      const exact = BigInt(match[0]);
      if (exact < MIN || exact > MAX) this.fail(`${match[0]} has more than 64 bits`);
      this.at = end;
      return exact;
    }
    this.at = end;
    return number;
  }

  string() {
    const start = this.at++;
    let out = "";
    for (;;) {
      const c = this.next;
      if (c === undefined)
        this.fail("this text has no end: a double quote is missing", start);
      this.at++;
      if (c === '"') break;
      if (c < " ")
        this.fail(
          "a line break or control character within text: write \\n",
          this.at - 1,
        );
      out += c === "\\" ? this.escape() : c;
    }
    if (!out.isWellFormed()) this.fail("this text holds half a character", start);
    return out;
  }

  escape() {
    const c = this.text[this.at++];
    if (c === "u") {
      const digits = this.text.slice(this.at, this.at + 4);
      if (!/^[\da-fA-F]{4}$/.test(digits))
        this.fail("\\u needs four hex digits", this.at - 2);
      this.at += 4;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    if (c === undefined || !Object.hasOwn(ESCAPES, c)) {
      this.fail(`\\${c ?? ""} means nothing in JSON; a backslash is \\\\`, this.at - 2);
    }
    return ESCAPES[c];
  }

  array(depth) {
    this.at++;
    const out = [];
    this.space();
    if (this.next === "]") {
      this.at++;
      return out;
    }
    for (;;) {
      out.push(this.value(depth + 1));
      if (this.separator("]", "the list")) return out;
      this.space();
      if (this.next === "]") this.fail("a comma before the end of the list");
    }
  }

  object(depth) {
    this.at++;
    const out = {};
    this.space();
    if (this.next === "}") {
      this.at++;
      return out;
    }
    for (;;) {
      this.pair(out, depth);
      if (this.separator("}", "the object")) return out;
      this.space();
      if (this.next === "}") this.fail("a comma before the end of the object");
    }
  }

  pair(out, depth) {
    this.space();
    const start = this.at;
    if (this.next !== '"')
      this.fail(`a name in double quotes is missing: ${this.found()}`);
    const key = this.string();
    if (Object.hasOwn(out, key))
      this.fail(`the name ${JSON.stringify(key)} appears twice`, start);
    this.space();
    if (this.next !== ":")
      this.fail(`a colon is missing behind the name: ${this.found()}`);
    this.at++;
    const value = this.value(depth + 1);
    // Also a name like __proto__ is only a name.
    Object.defineProperty(out, key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }

  /** Behind an element: true at the end. */
  separator(end, what) {
    this.space();
    if (this.next === end) {
      this.at++;
      return true;
    }
    if (this.next !== ",")
      this.fail(`a comma or the end of ${what} is missing: ${this.found()}`);
    this.at++;
    return false;
  }
}

/** The value of the text; throws a JsonFault. */
export function parseInput(text) {
  const reader = new Reader(text);
  reader.space();
  if (reader.at === text.length) reader.fail("there is nothing; no data is null");
  const value = reader.value(1);
  reader.space();
  if (reader.at < text.length) reader.fail(`behind the value ${reader.found()}`);
  return value;
}
