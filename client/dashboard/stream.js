// SPDX-License-Identifier: BSD-2-Clause

// What the table of events shows: the newest of a stream, or a page of the past. Handlers
// only note what came, in a ring that never grows; a pause keeps what is seen and counts
// on.

/** The newest of the stream that are kept. */
export const KEPT = 1000;
const PAGE = 200;

/** A ring of at most `most` items; `at(0)` is the newest. */
export function createRing(most) {
  const items = new Array(most);
  let next = 0;
  let size = 0;
  return {
    get size() {
      return size;
    },
    push(item) {
      items[next] = item;
      next = (next + 1) % most;
      if (size < most) size++;
    },
    at: (i) => items[(next - 1 - i + 2 * most) % most],
    toArray() {
      return Array.from({ length: size }, (_, i) => this.at(i));
    },
    clear() {
      items.fill(undefined);
      next = 0;
      size = 0;
    },
  };
}

/** How many came per second, of late: the mean of the last whole seconds. */
function createRate(now = () => performance.now()) {
  let since = now();
  let came = 0;
  let rate = 0;
  return {
    add: () => {
      came++;
    },
    read() {
      const elapsed = now() - since;
      if (elapsed >= 1000) {
        rate = (came * 1000) / elapsed;
        came = 0;
        since = now();
      }
      return rate;
    },
  };
}

const words = {
  ring: "the stream went on without us",
  retention: "the log no longer holds what was missed",
  permissions: "what may be read has changed",
  snapshot: "a snapshot could not be completed",
  log_changed: "the log is another one",
  slow_reader: "this page reads too slowly",
};

/**
 * Follows { pattern, type, actor } ("" stands for any). `changed()` is called when there
 * is something to draw. `items` is an object with `size` and `at(i)`, newest first; an
 * item is { event } or { note }.
 */
export function createStream(client, filter, changed) {
  const ring = createRing(KEPT);
  const rate = createRate();
  const controller = new AbortController();
  const state = { total: 0, fault: null, loading: true };
  let frozen = null;
  let missed = 0;

  function push(item) {
    ring.push(item);
    if (frozen) missed++;
    changed();
  }

  const types = filter.type === "" ? undefined : [filter.type];
  const subscription = client.subscribe(filter.pattern, {
    from: "now",
    types,
    signal: controller.signal,
  });
  subscription.on("event", (event) => {
    if (filter.actor !== "" && event.actor !== filter.actor) return;
    state.total++;
    rate.add();
    push({ event });
  });
  subscription.on("lagged", (l) => {
    const why = words[l.reason] ?? l.reason;
    // What the log still holds is replayed, and nothing is missing then.
    const lost = l.position === undefined || l.oldest > l.position + 1;
    push({ note: lost ? `Events are missing here: ${why}.` : `This page fell behind: ${why}.` });
  });
  subscription.on("error", (e) => {
    state.fault = e.message;
    state.loading = false;
    changed();
  });

  /** What was before the stream began; asked for once it is known where that was. */
  async function fill(seq) {
    try {
      const { events } = await client.history({
        ...queryOf(filter),
        before: seq + 1,
        minSeq: seq,
        limit: PAGE,
        reverse: true,
        signal: controller.signal,
      });
      const live = ring.toArray();
      ring.clear();
      for (const event of events.reverse()) ring.push({ event });
      for (const item of live.reverse()) ring.push(item);
    } catch (e) {
      if (controller.signal.aborted) return;
      push({ note: `What was before could not be read: ${e.message}` });
    }
    state.loading = false;
    changed();
  }
  subscription.on("mark", ({ seq }) => fill(seq), { once: true });

  return {
    state,
    rate: () => rate.read(),
    get items() {
      return frozen ?? ring;
    },
    get paused() {
      return frozen !== null;
    },
    get missed() {
      return missed;
    },
    pause() {
      const kept = ring.toArray();
      frozen = { size: kept.length, at: (i) => kept[i] };
      missed = 0;
      changed();
    },
    resume() {
      frozen = null;
      missed = 0;
      changed();
    },
    clear() {
      ring.clear();
      if (frozen) this.pause();
      changed();
    },
    end: () => controller.abort(),
  };
}

function queryOf({ pattern, type, actor }) {
  return {
    topic: pattern,
    ...(type === "" ? {} : { type }),
    ...(actor === "" ? {} : { actor }),
  };
}

/**
 * A page of the past: what `items` of createStream is, up to `seq`. One query at a time.
 */
export function createPast(client, filter, changed) {
  const controller = new AbortController();
  const state = { total: 0, fault: null, loading: true };
  let items = { size: 0, at: () => undefined };
  let wanted = null;
  let busy = false;

  async function load() {
    if (busy || wanted === null) return;
    busy = true;
    const seq = wanted;
    wanted = null;
    try {
      const { events } = await client.history({
        ...queryOf(filter),
        before: seq + 1,
        limit: PAGE,
        reverse: true,
        signal: controller.signal,
      });
      items = { size: events.length, at: (i) => ({ event: events[i] }) };
      state.fault = null;
    } catch (e) {
      if (controller.signal.aborted) return;
      state.fault = e.message;
    }
    busy = false;
    state.loading = wanted !== null;
    changed();
    load();
  }
  return {
    state,
    get items() {
      return items;
    },
    show(seq) {
      wanted = seq;
      state.loading = true;
      load();
    },
    end: () => controller.abort(),
  };
}
