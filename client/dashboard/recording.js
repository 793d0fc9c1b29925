// SPDX-License-Identifier: BSD-2-Clause

// The log as something to play: its bounds, the times of its events, and a tape, the
// events behind a position, read page by page. One per client, so that the slider and all
// that show the past ask each question once; what it holds is bounded.

import { Timeline } from "./timeline.js";

const PAGE = 1000; // events asked for at once
const PAGES = 64; // kept, each of at most some 256 KiB
const AHEAD = 3; // pages read before they are needed

const recordings = new WeakMap();

export function recordingOf(client) {
  let recording = recordings.get(client);
  if (!recording) recordings.set(client, (recording = new Recording(client)));
  return recording;
}

/** Pages of events that chain: together they are all the events of (from, to]. */
export class Tape {
  constructor() {
    this.pages = [];
    this.limit = PAGES;
  }

  get from() {
    return this.pages[0]?.after ?? 0;
  }

  get to() {
    return this.pages.at(-1)?.upto ?? 0;
  }

  covers(after, upto) {
    return (
      after >= upto || (this.pages.length > 0 && this.from <= after && upto <= this.to)
    );
  }

  clear() {
    this.pages = [];
  }

  /** A page that does not chain begins a new tape. */
  add(page) {
    if (this.pages.length > 0 && this.to !== page.after) this.clear();
    this.pages.push(page);
    while (this.pages.length > this.limit) this.pages.shift();
  }

  /** The page that holds what follows `after`. */
  index(after) {
    let low = 0;
    let high = this.pages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pages[middle].upto <= after) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  *between(after, upto) {
    for (let p = this.index(after); p < this.pages.length; p++) {
      if (this.pages[p].after >= upto) return;
      for (const event of this.pages[p].events) {
        if (event.seq > upto) return;
        if (event.seq > after) yield event;
      }
    }
  }

  /** How many pages there are behind `after`. */
  ahead(after) {
    return this.pages.length - this.index(after);
  }
}

class Recording {
  constructor(client) {
    this.client = client;
    this.timeline = new Timeline();
    this.tape = new Tape();
    this.log = undefined;
    this.reading = null;
    this.listeners = new Set();
    client.on("connected", () => this.look());
    this.look();
  }

  /** Called when the bounds, or what is known of times, changed. */
  subscribe(fn) {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  }

  tell() {
    for (const fn of [...this.listeners]) fn();
  }

  /** Take what the client knows of the log at present. */
  look() {
    const { welcome, complete } = this.client;
    if (!welcome) return;
    if (welcome.log !== this.log) {
      this.log = welcome.log;
      this.timeline.clear();
      this.tape.clear();
    }
    const { head, first } = this.timeline;
    this.timeline.grow(welcome.head);
    this.timeline.grow(complete?.seq);
    this.timeline.keepFrom(welcome.oldest);
    if (head !== this.timeline.head || first !== this.timeline.first) this.tell();
  }

  /** An answer said that nothing before `oldest` is kept. */
  keepFrom(oldest) {
    this.timeline.keepFrom(oldest);
    this.tell();
  }

  learn(seq, time) {
    this.timeline.learn(seq, time);
    this.tell();
  }

  /** When the event `seq` happened (us), or the last before it that may be read. */
  async timeOf(seq, signal) {
    const known = this.timeline.time(seq);
    if (known?.exact) return known.time;
    if (seq <= 0) return undefined;
    const event = await this.last({ before: seq + 1, signal });
    if (event) this.learn(event.seq, event.time);
    if (event && event.seq !== seq) this.learn(seq, event.time);
    return event?.time;
  }

  /** The last event at or before a time (us), as a seq; 0 where there is none. */
  async seqOf(time, signal) {
    const event = await this.last({ toTime: time + 1, signal });
    if (event) this.learn(event.seq, event.time);
    return event?.seq ?? 0;
  }

  /** The last event that a query means; pages may be empty and still go on. */
  async last(query) {
    const o = { ...query, reverse: true, limit: 1 };
    for (;;) {
      const { events, next } = await this.client.history(o);
      if (events.length > 0) return events[0];
      if (next === undefined || next === null) return undefined;
      o.before = next;
    }
  }

  /**
   * Read on, so that the tape holds what follows `after`, as far as pages that are ahead
   * go. Resolves when there is something, or nothing more to come.
   */
  async read(after, signal) {
    const { tape } = this;
    if (!tape.covers(after, after + 1)) {
      await this.page(after, signal);
    } else if (tape.ahead(after) < AHEAD && tape.to < this.timeline.head) {
      const more = this.page(tape.to, signal);
      if (tape.to <= after) await more;
      else more.catch(() => {}); // asked again when it is needed
    }
  }

  /** One page at a time, however many ask. */
  page(after, signal) {
    if (this.reading?.after === after) return this.reading.page;
    const head = this.timeline.head;
    if (after >= head) return Promise.resolve();
    const reading = { after, page: this.fetch(after, head, signal) };
    this.reading = reading;
    reading.page
      .finally(() => {
        if (this.reading === reading) this.reading = null;
      })
      .catch(() => {});
    return reading.page;
  }

  async fetch(after, head, signal) {
    const { log } = this;
    const { events, next } = await this.client.history({
      topic: ">",
      after,
      before: head + 1,
      limit: PAGE,
      signal,
    });
    if (log !== this.log) return;
    const upto = next === undefined || next === null ? head : next;
    this.tape.add({ after, upto, events });
    const last = events.at(-1);
    if (last) this.learn(last.seq, last.time);
  }
}
