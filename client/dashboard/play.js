// SPDX-License-Identifier: BSD-2-Clause

// Plays the recording: moves the time that is shown along the events, as fast as they
// happened or faster, a frame at a time. Where events do not come quickly enough it waits
// for them; it never leaves one out.

import { PlayClock } from "./timeline.js";

const EVENTS = 2000; // of one frame, so that folding them leaves time to draw
const QUIET = 1500; // ms of playing in which nothing happens are leapt over
const PAUSE = 500; // ms; of a longer time between frames, in which nothing was shown, no more

export class Player {
  /** `time`: the store to move; `done(error)`: it has stopped by itself. */
  constructor(recording, time, done) {
    this.recording = recording;
    this.time = time;
    this.done = done;
    this.speed = 1;
    this.leaps = true;
    this.clock = null;
    this.waiting = false;
  }

  get playing() {
    return this.clock !== null;
  }

  start(now) {
    const at = this.time.getSnapshot();
    this.clock = new PlayClock(at.time, now, this.speed);
    this.stopped = new AbortController();
    this.fresh = true; // the clock is set by the first event that comes
    this.read(at.seq);
  }

  stop() {
    this.stopped?.abort();
    this.clock = null;
    this.waiting = false;
  }

  setSpeed(speed) {
    this.speed = speed;
    if (this.clock) this.clock.speed = speed;
  }

  read(seq) {
    const { signal } = this.stopped;
    this.recording.read(seq, signal).catch((error) => {
      if (signal.aborted) return;
      this.stop();
      this.done(error);
    });
  }

  /** One frame; returns whether another is wanted. */
  frame(now) {
    if (!this.clock) return false;
    const { tape, timeline } = this.recording;
    const { seq } = this.time.getSnapshot();
    this.clock.now = Math.max(this.clock.now, now - PAUSE);
    if (seq >= timeline.head) {
      this.stop();
      this.done();
      return false;
    }
    this.waiting = !tape.covers(seq, seq + 1);
    if (this.waiting) this.clock.now = now;
    else this.advance(seq, now);
    this.read(this.time.getSnapshot().seq);
    return this.playing;
  }

  advance(from, now) {
    const { tape, timeline } = this.recording;
    if (this.fresh) this.set(tape.between(from, tape.to).next().value);
    this.clock.tick(now);
    let { seq, next } = this.reach(from);
    if (next && seq === from && this.leaps && this.clock.leap(next.time, QUIET))
      ({ seq, next } = this.reach(from));
    if (!next && tape.to < timeline.head) {
      // What follows is not here yet: time stands still at what is.
      const last = tape.pages.at(-1).events.at(-1);
      if (last)
        this.clock.time = Math.min(this.clock.time, Math.max(last.time, this.shown()));
    }
    this.time.set({ seq, time: this.clock.time });
  }

  shown() {
    return this.time.getSnapshot().time;
  }

  /** The time that was shown may have been an estimate beyond what follows it. */
  set(first) {
    this.fresh = false;
    if (first && this.clock.time > first.time) this.clock.time = first.time;
  }

  /** How far the clock's time reaches: the last event, and the one after it. */
  reach(from) {
    const { tape } = this.recording;
    let [seq, n] = [from, 0];
    for (const event of tape.between(from, tape.to)) {
      if (event.time > this.clock.time) return { seq, next: event };
      if (++n > EVENTS) {
        this.clock.time = Math.min(this.clock.time, event.time);
        return { seq, next: event };
      }
      seq = event.seq;
    }
    return { seq: tape.to, next: undefined };
  }
}
