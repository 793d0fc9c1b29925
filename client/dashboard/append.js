// SPDX-License-Identifier: BSD-2-Clause

// The form that appends an event. What is wrong with the input is said beside the field
// before anything is sent; what the server said stands below, until the next attempt.

import { h, replace, setAttr, setText } from "./dom.js";
import { count, exactTime, number } from "./format.js";
import { JsonFault, parseInput } from "./json-input.js";
import { ownKey } from "./own.js";

const utf8 = new TextEncoder();
const bytesOf = (text) => utf8.encode(text).length;

/** What is wrong with a topic, in words; null: nothing. */
function topicFault(topic) {
  if (topic === "") return "A topic is missing, for example note.7";
  if (bytesOf(topic) > 255) return "A topic has at most 255 bytes";
  if (/[*>]/.test(topic))
    return "This is a pattern: an event has one topic, without * and >";
  if (/[\s\p{Cc}\p{Z}]/u.test(topic)) return "A topic has no white space";
  if (topic.split(".").includes("")) return "Between its dots a topic is not empty";
  if (topic.startsWith("$")) return "Topics that begin with $ belong to the system";
  return null;
}

function typeFault(type) {
  if (type === "") return "A type is missing, for example note_created";
  return bytesOf(type) > 64 ? "A type has at most 64 bytes" : null;
}

const EXPECTATIONS = [
  ["any", "whatever is there"],
  ["none", "that the topic is new"],
  ["exists", "that the topic is there already"],
  ["version", "that it is at exactly this version"],
];

/** `expect` of the request; undefined: the version is no number. */
function expectation(kind, version) {
  if (kind === "none") return 0;
  if (kind !== "version") return kind;
  return /^\d{1,15}$/.test(version.trim()) ? Number(version) : undefined;
}

const WORDS = {
  conflict: ({ topic, expected, actual }) =>
    `Not stored: ${topic ?? "the topic"} is not as ` +
    `expected. Expected: ${
      expected === 0
        ? "no event yet"
        : expected === "exists"
          ? "at least one event"
          : `version ${expected}`
    }; it is ` +
    `${actual === 0 ? "new" : `at version ${actual}`}.`,
  key_reused: () => "Not stored: this key was used for another event.",
  forbidden: () => "Not stored: this token may not write there.",
  too_large: () => "Not stored: it is too large; an event has at most 1 MiB.",
  rate_limited: () => "Not stored: too much at once. Try again in a moment.",
  storage_full: () => "Not stored: the server's disk is full.",
  unavailable: () => "Not stored: the server can't at the moment. Try again.",
  unknown: () =>
    "No answer came: it may be stored. To append again with the same key is safe.",
};

function field(id, label, control, hint) {
  const fault = h("p", { class: "fault", id: `${id}-fault` });
  control.id = id;
  control.setAttribute("aria-describedby", `${id}-fault ${id}-hint`);
  return {
    control,
    fault,
    root: h(
      "div",
      { class: "field" },
      h("label", { for: id }, label),
      control,
      fault,
      h("p", { class: "hint", id: `${id}-hint` }, hint),
    ),
  };
}

const plain = { autocomplete: "off", autocapitalize: "off", spellcheck: "false" };

class AppendTool {
  constructor(root, ctx, options) {
    this.ctx = ctx;
    this.controller = new AbortController();
    this.build(root);
    this.topic.control.value = options?.topic ?? "";
    if (options?.topic) this.type.control.focus();
    else this.topic.control.focus();
  }

  build(root) {
    const text = (extra = {}) => h("input", { class: "mono", ...plain, ...extra });
    this.topic = field(
      "append-topic",
      "Topic",
      text(),
      "What it is about, such as note.7",
    );
    this.type = field(
      "append-type",
      "Type",
      text({ list: "append-types" }),
      "What happened, in the past tense. Its ending says how it folds: _created replaces, " +
        "_updated merges, _deleted deletes.",
    );
    this.data = field(
      "append-data",
      "Data",
      h("textarea", { rows: 7, ...plain }),
      "JSON",
    );
    this.data.control.value = "{\n  \n}";
    this.version = text({
      class: "mono",
      inputmode: "numeric",
      "aria-label": "Version",
      hidden: true,
    });
    this.expect = field(
      "append-expect",
      "Expect",
      h(
        "select",
        {},
        EXPECTATIONS.map(([value, words]) => h("option", { value }, words)),
      ),
      "Otherwise nothing is stored: nobody overwrites what he has not seen.",
    );
    this.expect.control.after(this.version);
    this.key = field(
      "append-key",
      "Key",
      text(),
      "Appending again with the same key stores nothing twice. Empty: a new one each time.",
    );
    this.outcome = h("div", { class: "append-outcome" });
    this.submit = h("button", { class: "primary" }, "Append");
    this.expect.control.addEventListener("change", () => {
      this.version.hidden = this.expect.control.value !== "version";
    });
    this.data.control.addEventListener("input", () => this.checkData());
    replace(
      root,
      h(
        "form",
        {
          class: "append-form",
          novalidate: true,
          on: {
            submit: (e) => {
              e.preventDefault();
              this.send();
            },
            keydown: (e) => {
              if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) this.send();
            },
          },
        },
        [this.topic, this.type, this.data, this.expect, this.key].map((f) => f.root),
        h(
          "datalist",
          { id: "append-types" },
          [
            "note_created",
            "note_updated",
            "note_deleted",
            "tag_added",
            "tag_removed",
          ].map((value) => h("option", { value })),
        ),
        h(
          "div",
          { class: "append-end" },
          this.outcome,
          h("p", {}, this.submit, h("span", { class: "hint" }, " or Ctrl+Enter")),
        ),
      ),
    );
  }

  say(f, words) {
    setText(f.fault, words ?? "");
    setAttr(f.control, "aria-invalid", words ? "true" : null);
    return !words;
  }

  /** While one types only a fault that was shown goes away. */
  checkData() {
    if (this.data.fault.textContent !== "") this.readData();
  }

  readData() {
    try {
      const value = parseInput(this.data.control.value);
      this.say(this.data, null);
      return { value };
    } catch (e) {
      if (!(e instanceof JsonFault)) throw e;
      this.say(this.data, e.message);
      this.fault = e;
      return null;
    }
  }

  /** The request, or null: what is wrong stands beside its field, which has the focus. */
  read() {
    const topic = this.topic.control.value.trim();
    const type = this.type.control.value.trim();
    const key = this.key.control.value;
    const expect = expectation(this.expect.control.value, this.version.value);
    const topicRight = this.say(this.topic, topicFault(topic));
    const typeRight = this.say(this.type, typeFault(type));
    const data = this.readData();
    const expectRight = this.say(
      this.expect,
      expect === undefined ? "A version is a number" : null,
    );
    const keyRight = this.say(
      this.key,
      bytesOf(key) > 64 ? "A key has at most 64 bytes" : null,
    );
    if (topicRight && typeRight && data && expectRight && keyRight) {
      return {
        topic,
        type,
        data: data.value,
        expect,
        key: key === "" ? ownKey() : ownKey(key),
      };
    }
    const wrong = [
      [topicRight, this.topic],
      [typeRight, this.type],
      [data, this.data],
      [expectRight, this.expect],
      [keyRight, this.key],
    ].find(([right]) => !right)[1];
    wrong.control.focus();
    if (wrong === this.data)
      wrong.control.setSelectionRange(this.fault.at, this.fault.at + 1);
    return null;
  }

  async send() {
    if (this.busy) return;
    const request = this.read();
    if (!request) {
      replace(this.outcome);
      return;
    }
    this.busy = true;
    setAttr(this.submit, "aria-disabled", "true");
    replace(this.outcome, h("p", { class: "note" }, "Appending …"));
    const { topic, type, data, expect, key } = request;
    const { client, announce } = this.ctx;
    try {
      const stored = await client.append(topic, type, data, {
        expect,
        key,
        signal: this.controller.signal,
      });
      replace(this.outcome, this.storedNote(topic, stored));
    } catch (e) {
      if (this.controller.signal.aborted) return;
      const words = WORDS[e.code]?.(e.details ?? {}) ?? `Not stored: ${e.message}.`;
      replace(this.outcome, h("p", { class: "note bad" }, words));
      if (e.code === "unknown") this.key.control.value = key;
    }
    announce(this.outcome.firstElementChild.dataset.words ?? this.outcome.textContent);
    this.busy = false;
    setAttr(this.submit, "aria-disabled", null);
  }

  storedNote(topic, { seq, version, time, duplicate }) {
    const words = duplicate
      ? `Stored before, as event ${number(seq)}: nothing was stored again.`
      : `Stored as event ${number(seq)}, version ${number(version)} of ${topic}.`;
    return h(
      "div",
      { class: "note good", "data-words": words },
      h("p", { title: exactTime(time) }, words),
      h(
        "p",
        {},
        h(
          "button",
          { type: "button", class: "link", on: { click: () => this.ctx.open(topic) } },
          "Show the topic",
        ),
      ),
    );
  }

  destroy() {
    this.controller.abort();
  }
}

export function mount(root, ctx, options) {
  return new AppendTool(root, ctx, options);
}
