// SPDX-License-Identifier: BSD-2-Clause

// The bar of time in Chromium: what it shows as of an event or a time is what `peal at`
// says, playing passes through every event and ends with the state, and it tells what it
// can't show. What is random prints its seed.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { assertAccessible, go, openDashboard, SCREENS } from "./lib/dash.mjs";
import { startHouse } from "./lib/house.mjs";
import { assertNoProblems, launch, screenshot } from "./lib/page.mjs";
import { random } from "../../client/dashboard/graph-layout.js";

const seed = Number(process.env.PEAL_SEED ?? Date.now() % 1e9);
console.log(`# seed ${seed}`);

const EVENTS = 3000;
const START = 1_700_000_000_000_000; // us
const house = await startHouse({ after });
const browser = await launch({ after });

/**
 * A history of entities and notes that come, change and go; every 500 events a quiet day.
 */
function history() {
  const next = random(seed);
  const pick = (n) => Math.floor(next() * n);
  const lines = [];
  let time = START;
  for (let i = 0; i < EVENTS; i++) {
    time += i % 500 === 499 ? 86_400_000_000 : pick(400_000);
    const name = `n${pick(60)}`;
    const entity = pick(3) > 0;
    const [type, data] = [
      [
        "created",
        entity ? { name, entityType: `t${pick(3)}`, observations: [] } : { a: i },
      ],
      ["updated", { a: i, b: { c: pick(9) } }],
      ["deleted", {}],
      ["added", { observations: `o${pick(5)}` }],
      ["removed", { observations: `o${pick(5)}` }],
      ["seen", null],
    ][[0, 0, 1, 2, 3, 3, 4, 5][pick(8)]];
    lines.push({
      time,
      topic: entity ? `graph.entity.${name}` : `note.${name}`,
      type: `${entity ? "entity" : "note"}_${type}`,
      actor: `actor${pick(4)}`,
      data,
    });
  }
  return lines;
}

const lines = history();
const file = join(house.directory, "history.jsonl");
writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
await house.peal("import", file);

const range = (page) => page.locator(".time-range");
const words = (page) => page.locator(".time-words").textContent();
const past = (page) => page.locator(".time-bar[data-past]");

/** Rows as `peal at` or `peal state` prints them, without deleted ones, by topic. */
async function rowsAt(seq, ...patterns) {
  const said = await house.peal("at", String(seq), "--json", ...patterns);
  const rows = said
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return Object.fromEntries(rows.filter((row) => !row[7]).map((row) => [row[0], row]));
}

/** Names of the entities as of a seq, as the list of the graph orders them: all alike. */
async function entitiesAt(seq) {
  const rows = await rowsAt(seq, "graph.entity.*");
  return Object.values(rows)
    .map((row) => row[8]?.name ?? row[0].slice(13))
    .sort();
}

const listed = async (page) => ({
  total: await page.locator(".graph-total").textContent(),
  first: await page.evaluate(() => {
    const option = document.querySelector(".graph-list [role=option]:not([hidden])");
    return option?.checkVisibility()
      ? option.querySelector(".entity-name").textContent
      : "";
  }),
});

/** The bar and the panel of the graph, connected and with the whole log known. */
async function open(t, options = {}) {
  const page = await openDashboard(t, browser, house, { hash: "#/graph", ...options });
  await until(
    "the head is known",
    async () => Number(await range(page).getAttribute("max")) >= EVENTS,
  );
  return page;
}

/**
 * In the page: a client, a store of the past and a player of their own, as the panels
 * have them. `rows()` are those shown now, in the form of the protocol.
 */
async function ownPast(page, patterns) {
  await page.evaluate(
    async ([token, wanted]) => {
      const { connect } = await import("/peal.js");
      const { createStore } = await import("/dashboard/store.js");
      const { createPast } = await import("/dashboard/past.js");
      const { recordingOf } = await import("/dashboard/recording.js");
      const { Player } = await import("/dashboard/play.js");
      const client = connect(undefined, { getToken: () => token });
      await new Promise((resolve) => client.on("connected", resolve));
      const time = createStore(null);
      const rows = createPast({ client, time }, wanted);
      const show = (snapshot) =>
        [...snapshot.rows.values()].map((r) => [
          r.topic,
          r.version,
          r.seq,
          r.createdTime,
          r.createdBy,
          r.updatedTime,
          r.updatedBy,
          r.deleted,
          r.value,
        ]);
      const settled = (seq) =>
        new Promise((resolve, reject) => {
          const look = () => {
            const snapshot = rows.getSnapshot();
            if (snapshot.error) reject(snapshot.error);
            if (snapshot.pending || (seq !== undefined && snapshot.at?.seq !== seq))
              return;
            stop();
            resolve(show(snapshot));
          };
          const stop = rows.subscribe(look);
          setTimeout(look);
        });
      Object.assign(globalThis, {
        own: {
          client,
          time,
          rows,
          show,
          settled,
          recording: recordingOf(client),
          Player,
        },
      });
    },
    [house.token, patterns],
  );
}

const byTopic = (rows) => Object.fromEntries(rows.map((row) => [row[0], row]));

test("what is shown as of an event is what peal at says", async (t) => {
  const page = await open(t);
  for (const seq of [1, 700, 2999, 2, 1500]) {
    await range(page).fill(String(seq));
    await past(page).waitFor();
    const names = await entitiesAt(seq);
    await until(`the graph is that of ${seq}`, async () => {
      const { total, first } = await listed(page);
      return total.startsWith(`${names.length} entit`) && first === (names[0] ?? "");
    });
    const said = new RegExp(`Showing the past.*event ${seq.toLocaleString("en")} of 3,000`);
    await until("the bar says so", async () => said.test(await words(page)));
  }
  await range(page).fill("0");
  await page.locator(".graph-empty").getByText("no entity yet at that time").waitFor();
  await until("the bar says so", async () =>
    /before the first event/.test(await words(page)),
  );
  await page.getByRole("button", { name: "Back to live" }).click();
  await until("it is live", async () => /^Live/.test(await words(page)));
  const now = await entitiesAt(EVENTS);
  await until("the graph is live", async () =>
    (await listed(page)).total.startsWith(`${now.length} entities`),
  );
  assertNoProblems(page);
});

test("rows of the past are those of peal at, whatever way leads there", async (t) => {
  const page = await open(t);
  await ownPast(page, ["graph.entity.*", "note.>"]);
  for (const seq of [1, 250, 260, 2000, 1999, EVENTS, 0]) {
    const rows = await page.evaluate((to) => {
      const { time, settled } = globalThis.own;
      time.set({ seq: to, time: 0 });
      return settled(to);
    }, seq);
    assert.deepEqual(
      byTopic(rows),
      await rowsAt(seq, "graph.entity.*", "note.>"),
      `at ${seq}`,
    );
  }
});

test("answers for times that are no longer wanted are dropped", async (t) => {
  const page = await open(t);
  await ownPast(page, ["note.>"]);
  const rows = await page.evaluate(() => {
    const { time, settled } = globalThis.own;
    for (let seq = 100; seq <= 2500; seq += 100) time.set({ seq, time: 0 });
    return settled(2500);
  });
  assert.deepEqual(byTopic(rows), await rowsAt(2500, "note.>"));
  const seen = await page.evaluate(async () => {
    const { time, rows, settled } = globalThis.own;
    const shown = new Set();
    const stop = rows.subscribe(() => {
      const { at, pending } = rows.getSnapshot();
      if (at && !pending) shown.add(at.seq);
    });
    time.set({ seq: 10, time: 0 });
    time.set({ seq: 20, time: 0 });
    time.set({ seq: 30, time: 0 });
    await settled(30);
    stop();
    return [...shown];
  });
  assert.deepEqual(seen, [30]);
});

test("playing passes through each event in order and ends with the state", async (t) => {
  const page = await open(t);
  await ownPast(page, ["graph.entity.*", "note.>"]);
  const { seen, samples, asked, end } = await page.evaluate(async (from) => {
    const { client, time, rows, show, settled, recording, Player } = globalThis.own;
    let asked = 0;
    const at = client.at.bind(client);
    client.at = (when) => (asked++, at(when));
    recording.look();
    time.set({ seq: from, time: (await recording.timeOf(from)) ?? 0 });
    await settled(from);
    const seen = [];
    const samples = [];
    const stop = rows.subscribe(() => {
      const snapshot = rows.getSnapshot();
      if (snapshot.pending) return;
      seen.push(snapshot.seq);
      if (samples.length < 5 && snapshot.seq > from + 300 * samples.length)
        samples.push([snapshot.seq, show(snapshot)]);
    });
    await new Promise((resolve, reject) => {
      const player = new Player(recording, time, (error) =>
        error ? reject(error) : resolve(),
      );
      player.setSpeed(20);
      // A clock of its own, on which frames come late: how many a page really gets is the
      // machine's to say.
      let now = 0;
      player.start(now);
      const frame = () => player.frame((now += 600)) && setTimeout(frame);
      setTimeout(frame);
    });
    stop();
    return { seen, samples, asked, end: show(rows.getSnapshot()) };
  }, 100);
  assert.equal(seen.at(-1), EVENTS);
  assert.ok(
    seen.every((seq, i) => i === 0 || seq >= seen[i - 1]),
    "seqs never go back",
  );
  assert.ok(new Set(seen).size > 20, `in ${new Set(seen).size} steps`);
  assert.ok(asked <= 2, `${asked} states were asked for`);
  assert.ok(samples.length >= 3);
  for (const [seq, rows] of samples)
    assert.deepEqual(
      byTopic(rows),
      await rowsAt(seq, "graph.entity.*", "note.>"),
      `at ${seq}`,
    );
  const state = await house.state("graph.entity.*", "note.>");
  assert.deepEqual(Object.keys(byTopic(end)).sort(), [...state.keys()].sort());
  assert.deepEqual(byTopic(end), await rowsAt(EVENTS, "graph.entity.*", "note.>"));
});

test("the bar plays from the beginning to live, and pauses", async (t) => {
  const page = await open(t);
  // So slow that it has not come to the end before somebody can pause it.
  await page.getByLabel("Speed of playing").selectOption("1");
  await page.getByRole("button", { name: "Play" }).click();
  await past(page).waitFor();
  const pause = page.getByRole("button", { name: "Pause" });
  await until("it moves", async () => Number(await range(page).inputValue()) > 5);
  await pause.click();
  const at = Number(await range(page).inputValue());
  const names = await entitiesAt(at);
  await until(
    "the graph stands where the bar does",
    async () =>
      (await listed(page)).total.startsWith(`${names.length} entit`) &&
      Number(await range(page).inputValue()) === at,
  );
  await page.getByLabel("Speed of playing").selectOption("100");
  await page.getByRole("button", { name: "Play" }).click();
  await until("it is live again", async () => /^Live/.test(await words(page)));
  await page.locator("#status").getByText("Played to the end").waitFor();
  const now = await entitiesAt(EVENTS);
  await until("the graph is live", async () =>
    (await listed(page)).total.startsWith(`${now.length} entities`),
  );
  assertNoProblems(page);
});

test("keys step through events, and the end is live", async (t) => {
  const page = await open(t);
  await range(page).focus();
  await page.keyboard.press("ArrowLeft");
  await until("one event back", async () =>
    (await range(page).getAttribute("aria-valuetext")).endsWith("event 2,999 of 3,000"),
  );
  await page.getByRole("button", { name: "One event back" }).click();
  await until("and one more", async () => (await range(page).inputValue()) === "2998");
  const text = await range(page).getAttribute("aria-valuetext");
  assert.match(text, /^(about )?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/);
  await until(
    "its time becomes exact",
    async () => !(await range(page).getAttribute("aria-valuetext")).startsWith("about"),
  );
  await page.getByRole("button", { name: "One event on" }).click();
  await until("on", async () => (await range(page).inputValue()) === "2999");
  await page.getByRole("button", { name: "One event on" }).click();
  await until("it is live", async () => /^Live/.test(await words(page)));
  assertNoProblems(page);
});

/** The form behind "Go to", filled in and sent. */
async function goTo(page, label, text) {
  await page.getByRole("button", { name: "Go to" }).click();
  await page.getByLabel(label).fill(text);
  await page.getByRole("button", { name: "Show", exact: true }).click();
}

test("one goes to a time or an event", async (t) => {
  const page = await open(t, { timezoneId: "UTC" });
  const second = Math.floor(lines[1233].time / 1e6);
  const last = lines.findLastIndex((line) => line.time / 1e6 < second + 1) + 1;
  await goTo(
    page,
    "State at this time",
    new Date(second * 1000).toISOString().slice(0, 19),
  );
  await until(
    "the last event of that second is shown",
    async () => (await range(page).inputValue()) === String(last),
  );
  const shown = new Date(lines[last - 1].time / 1000).toISOString().slice(0, 19);
  await until("its time is shown", async () =>
    (await words(page)).includes(shown.replace("T", " ")),
  );
  await goTo(page, "or after event", "1,200");
  await until(
    "the event is shown",
    async () => (await range(page).inputValue()) === "1200",
  );
  await page.getByRole("button", { name: "Go to" }).click();
  await page.getByLabel("or after event").fill("soon");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await page.locator(".goto-form .fault").getByText("An event is a number.").waitFor();
  assertNoProblems(page);
});

test("the state browser follows the bar, too", async (t) => {
  const page = await open(t);
  await range(page).fill("700");
  await past(page).waitFor();
  const at = await rowsAt(700, "note.>");
  const [topic, row] = Object.entries(at).find(([, r]) => r[8] && r[8].a !== undefined);
  await go(page, `#/state/${topic}`);
  await page.locator("#panel-state").getByText(`${row[8].a}`).first().waitFor();
  assertNoProblems(page);
});

test("an empty log has nothing to slide over, and its first event is told", async (t) => {
  const empty = await startHouse(t, { gateways: 1, args: ["--no-vitals"] });
  const page = await openDashboard(t, browser, empty, { hash: "#/graph" });
  await until("it says so", async () => /the log is empty/.test(await words(page)));
  assert.equal(await range(page).isDisabled(), true);
  assert.equal(await page.getByRole("button", { name: "Play" }).isDisabled(), true);
  await page.locator(".graph-empty").getByText("No entity yet").waitFor();
  await empty.peal("append", "graph.entity.ada", "entity_created", '{"name":"ada"}');
  await until("it moves with the head", async () =>
    /event 1 of 1/.test(await words(page)),
  );
  await range(page).fill("0");
  await page.locator(".graph-empty").getByText("no entity yet at that time").waitFor();
  assertNoProblems(page);
});

test("the past stays where it is while the head moves on", async (t) => {
  const moving = await startHouse(t, { gateways: 1 });
  for (const n of [1, 2, 3]) await moving.peal("append", "note.1", "note_set", String(n));
  const page = await openDashboard(t, browser, moving, { hash: "#/graph" });
  await until("the head is known", async () => /event 3 of 3/.test(await words(page)));
  await range(page).fill("2");
  await until("the past is shown", async () => /event 2 of 3/.test(await words(page)));
  await moving.peal("append", "note.1", "note_set", "4");
  await until("only the head moved", async () => /event 2 of 4/.test(await words(page)));
  await range(page).fill("4");
  await until("the end is live", async () => /^Live/.test(await words(page)));
  assertNoProblems(page);
});

test("what is no longer kept is told, and the earliest state is shown", async (t) => {
  const page = await open(t);
  const said = await page.evaluate(async () => {
    const { mount } = await import("/dashboard/slider.js");
    const { createPast } = await import("/dashboard/past.js");
    const { createStore } = await import("/dashboard/store.js");
    const { PealError } = await import("/peal.js");
    const asked = [];
    const idle = {
      subscribe: () => () => {},
      on: () => () => {},
      close() {},
      getSnapshot: () => ({
        rows: new Map(),
        seq: 0,
        complete: true,
        changed: new Set(),
      }),
    };
    // A server that kept nothing before event 500, which its welcome did not know yet.
    const client = {
      connection: idle,
      on: () => () => {},
      view: () => idle,
      welcome: { log: "l", head: 1000, oldest: 1, fold: { version: 1, rules: [] } },
      history: async () => ({ events: [] }),
      at: (seq) => ({
        state: async () => {
          asked.push(seq);
          if (seq < 499) {
            throw Object.assign(Object.create(PealError.prototype), {
              code: "not_found",
              details: { oldest: 500 },
            });
          }
          return { rows: [], seq };
        },
      }),
    };
    const time = createStore(null);
    const notes = [];
    const ctx = {
      client,
      time,
      prefs: { get: (_, v) => v, set() {} },
      announce: (text) => notes.push(text),
      schedule: (fn) => requestAnimationFrame(fn),
    };
    const root = document.createElement("div");
    document.body.append(root);
    mount(root, ctx);
    const rows = createPast(ctx, "note.>");
    time.set({ seq: 100, time: 0 });
    await new Promise((resolve) => {
      const stop = rows.subscribe(() => {
        const { at, pending } = rows.getSnapshot();
        if (at?.seq === 499 && !pending) resolve(stop());
      });
    });
    await new Promise((resolve) =>
      requestAnimationFrame(() => requestAnimationFrame(resolve)),
    );
    return {
      asked,
      notes,
      note: root.querySelector(".time-note").textContent,
      min: root.querySelector(".time-range").min,
    };
  });
  assert.deepEqual(said.asked, [100, 499]);
  assert.equal(said.min, "499");
  assert.match(said.note, /Nothing before event 500 is kept/);
  assert.ok(said.notes.includes(said.note));
});

for (const [name, options] of Object.entries(SCREENS)) {
  test(`the bar is accessible and fits: ${name}`, async (t) => {
    const page = await open(t, options);
    await range(page).fill("1500");
    await past(page).waitFor();
    await page.locator(".graph-canvas[data-rest=true]:not([data-nodes='0'])").waitFor();
    await screenshot(page, `dash-slider-${name}`);
    await assertAccessible(page);
    await page.getByRole("button", { name: "Go to" }).click();
    await page.locator(".goto-form").waitFor();
    await assertAccessible(page);
    await screenshot(page, `dash-slider-${name}-goto`);
    const wide = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(wide, 0);
    assertNoProblems(page);
  });
}
