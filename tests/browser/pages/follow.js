// SPDX-License-Identifier: BSD-2-Clause

// A page that follows w.>: a view of its rows and a list of its events.  It compares its
// view with what the server says the state was at the same seq, again and again.

const PATTERN = "w.>";
const KEPT = "follow";

/** What is kept of what happens again and again. */
const KEEP = 200;

function note(list, what) {
  list.push(what);
  if (list.length > KEEP) list.shift();
}

/** A row in a form that two of the same have alike. */
const form = ({ topic, version, seq, value }) => JSON.stringify([topic, version, seq, value]);

export class Follow {
  /** Of getToken: calls, how many at once at most. */
  tokens = { calls: 0, now: 0, most: 0 };
  /** Seqs of the events as they came, as runs [first, last]. */
  runs = [];
  /** How the connection changed, in words. */
  states = [];
  errors = [];
  lagged = 0;
  /** It came back from the cache of pages. */
  revived = false;
  /** How long the view was incomplete each time, in ms. */
  away = [];
  compared = 0;
  /** Comparisons that failed. */
  wrong = [];

  constructor({ connect, token, resume = false, leak = false, options = {} }) {
    this.client = connect(undefined, {
      ...options, getToken: () => this.#getToken(token),
    });
    for (const type of ["connecting", "connected", "disconnected"]) {
      this.client.on(type, ({ reason, code }) =>
        note(this.states, [type, code, reason].filter(Boolean).join(" ")));
    }
    this.client.on("error", (error) => note(this.errors, String(error)));
    this.client.on("disconnected", () => this.#measure(performance.now()));
    this.view = this.client.view(PATTERN);
    const kept = resume && JSON.parse(sessionStorage.getItem(KEPT));
    if (kept) this.runs = kept.runs;
    this.events = this.client.subscribe(PATTERN, { from: kept?.position ?? "now" });
    this.events.on("event", (e) => this.#take(e.seq));
    if (leak) this.events.on("event", (e) => (this.kept ??= []).push(e));
    this.events.on("lagged", () => this.lagged++);
    addEventListener("pagehide", () => this.#keep());
    addEventListener("pageshow", ({ persisted }) => (this.revived ||= persisted));
  }

  async #getToken(token) {
    this.tokens.calls++;
    this.tokens.most = Math.max(this.tokens.most, ++this.tokens.now);
    // An answer from elsewhere takes a moment.
    await new Promise((yes) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => yes(port1.close());
      port2.postMessage(0);
    });
    const fresh = window.freshToken ? await window.freshToken() : token;
    this.tokens.now--;
    return fresh;
  }

  /** Look in each frame whether the view is whole again. */
  #measure(begin) {
    const { state } = this.client.connection.getSnapshot();
    if (state === "connected" && this.view.getSnapshot().complete)
      note(this.away, Math.round(performance.now() - begin));
    else requestAnimationFrame(() => this.#measure(begin));
  }

  #take(seq) {
    const run = this.runs.at(-1);
    if (run && seq === run[1] + 1) run[1] = seq;
    else this.runs.push([seq, seq]);
  }

  /** Over a reload: where the list has got, and what it holds. */
  #keep() {
    const { runs, events: { position } } = this;
    if (position) sessionStorage.setItem(KEPT, JSON.stringify({ runs, position }));
  }

  /** Compare the view with the server's state at its seq, until the page ends. */
  async compare() {
    for (;;) {
      try {
        await this.compareOnce();
      } catch (error) {
        // The server is away: it will be asked again.
        if (!error.code) this.wrong.push(String(error.stack));
        await new Promise(requestAnimationFrame);
      }
    }
  }

  async compareOnce() {
    const { rows, seq, complete } = this.view.getSnapshot();
    if (!complete) {
      await new Promise(requestAnimationFrame);
      return;
    }
    const mine = [...rows.values()].map(form).sort();
    const state = await this.client.state(PATTERN, { at: seq });
    const theirs = state.rows.filter((row) => !row.deleted).map(form).sort();
    const strays = [...mine.filter((r) => !theirs.includes(r)).map((r) => `mine ${r}`),
      ...theirs.filter((r) => !mine.includes(r)).map((r) => `theirs ${r}`)];
    if (strays.length) this.wrong.push(`at ${seq}: ${strays.slice(0, 6).join("; ")}`);
    this.compared++;
  }

  /** What a test looks at. */
  tell() {
    const { seq, complete, rows } = this.view.getSnapshot();
    return {
      connection: this.client.connection.getSnapshot(), counters: { ...this.client.counters },
      tokens: this.tokens, runs: this.runs, states: this.states, errors: this.errors,
      lagged: this.lagged, revived: this.revived, compared: this.compared, wrong: this.wrong,
      live: this.events.live, position: this.events.position?.seq,
      view: { seq, complete, size: rows.size },
    };
  }

  rows() {
    return [...this.view.getSnapshot().rows.values()].map(form).sort();
  }
}
