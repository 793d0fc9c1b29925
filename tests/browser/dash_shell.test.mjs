// SPDX-License-Identifier: BSD-2-Clause

// The dashboard's frame in Chromium, against the real gateway: token, connection pill, tabs,
// keys, theme, status region, and that nothing is drawn while the page is hidden.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { until } from "./lib/await.mjs";
import { assertAccessible, go, inPage, openDashboard, PHONE, violations } from "./lib/dash.mjs";
import { startHouse } from "./lib/house.mjs";
import {
  assertNoProblems, launch, openContext, openPage, screenshot,
} from "./lib/page.mjs";
import { startProxy } from "./lib/proxy.mjs";

const house = await startHouse({ after }, { gateways: 1 });
const browser = await launch({ after });

const pill = (page) => page.locator("#pill-button");
const asked = (page) => page.getByRole("heading", { name: "A token is needed" });

/** Resolves when the pill's word is this one; "Connected" is a part of "Disconnected". */
async function says(page, word) {
  await page.locator(".pill-word", { hasText: new RegExp(`^${word}$`) }).waitFor();
}

test("the token leaves the address bar at once and lasts as long as the tab", async (t) => {
  const context = await openContext(t, browser);
  const page = await openPage(t, context, `${house.url}/#token=${house.token}`);
  assert.ok(!page.url().includes("token"));
  await says(page, "Connected");
  assert.ok(!page.url().includes(house.token));
  assert.ok(!(await page.content()).includes(house.token));
  await page.reload();
  await says(page, "Connected");
  const another = await openPage(t, context, `${house.url}/`);
  await asked(another).waitFor();
  assertNoProblems(page);
});

test("without a token, or with a refused one, the page asks for one and says why", async (t) => {
  const page = await openPage(t, browser, `${house.url}/`);
  await asked(page).waitFor();
  await page.getByText("This server asks for a token").waitFor();
  await says(page, "Waiting for a token");
  await assertAccessible(page, "asking for a token");
  const input = page.getByLabel("Token", { exact: true });
  await input.fill("something else");
  await page.keyboard.press("Enter");
  await page.getByText("This is no token").waitFor();
  assert.equal(await input.getAttribute("aria-invalid"), "true");
  const forged = house.token.slice(0, -4) + (house.token.endsWith("AAAA") ? "BBBB" : "AAAA");
  await input.fill(forged);
  await page.keyboard.press("Enter");
  await page.getByText("The server refused the token").waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem("peal.token")), null);
  await screenshot(page, "dash-token");
  await input.fill(house.link);
  await page.keyboard.press("Enter");
  await says(page, "Connected");
  await asked(page).waitFor({ state: "hidden" });
  assertNoProblems(page);
});

test("who is revoked is told so, and goes on with another token", async (t) => {
  const token = await house.makeToken({ sub: "guest", read: [">"] });
  const page = await openDashboard(t, browser, house, { token });
  await house.peal("revoke", "guest");
  await page.getByText("Access was revoked").waitFor();
  await page.getByLabel("Token", { exact: true }).fill(house.token);
  await page.getByRole("button", { name: "Connect" }).click();
  await says(page, "Connected");
  await asked(page).waitFor({ state: "hidden" });
});

test("on a phone the pill cuts nothing off", async (t) => {
  const page = await openDashboard(t, browser, house, { viewport: PHONE });
  const cut = (ms) => page.evaluate((text) => {
    const button = document.querySelector("#pill-button");
    button.querySelector(".pill-trip").textContent = text;
    const { right, bottom } = button.getBoundingClientRect();
    return [...button.querySelectorAll(".pill-word, .pill-trip")].filter((part) => {
      const box = part.getBoundingClientRect();
      return part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0 ||
        box.right > right || box.bottom > bottom;
    }).map((part) => part.className);
  }, ms);
  assert.deepEqual(await cut("1,234 ms"), []);
  assert.deepEqual(await cut("1,234 ms".repeat(9)), ["pill-trip"]);
  await cut("27 ms");
  await screenshot(page, "dash-pill-phone");
});

test("the pill tells state, round trip and how complete the page is", async (t) => {
  const page = await openDashboard(t, browser, house);
  await until("the round trip is shown", async () =>
    /\d ms/.test(await pill(page).textContent()));
  await page.locator(".pill-detail", { hasText: /complete as of .+ ago/ }).waitFor();
  await pill(page).click();
  const details = page.getByRole("dialog", { name: "Connection" });
  await details.waitFor();
  for (const text of ["dev", "up to event", "0 gaps"]) {
    await details.getByText(text).first().waitFor();
  }
  await assertAccessible(page, "the pill is open");
  await screenshot(page, "dash-pill");
  await page.keyboard.press("Escape");
  await details.waitFor({ state: "hidden" });
});

test("a lost connection is red, says when it tries again, and can be tried now", async (t) => {
  const proxy = await startProxy(t, house);
  const near = { ...house, url: `https://127.0.0.1:${proxy.port}`, token: house.token };
  const page = await openDashboard(t, browser, near);
  // Attempts come quickly at first; one that would wait for long waits for us, until another
  // is asked for: that one may fail on a busy machine, and be followed by more.
  await page.evaluate(() => {
    const { setTimeout } = globalThis;
    globalThis.setTimeout = (fn, ms, ...rest) => {
      if (ms < 2000 || ms >= 20_000) return setTimeout(fn, ms, ...rest);
      globalThis.waits = true;
      return 0;
    };
    globalThis.waitNoMore = () => (globalThis.setTimeout = setTimeout);
  });
  proxy.refusing = true;
  proxy.reset();
  await says(page, "Disconnected");
  await until("it waits", () => page.evaluate(() => globalThis.waits));
  await page.locator(".pill[data-tone=bad] .pill-detail", { hasText: /tries again in/ })
    .waitFor();
  const again = page.getByRole("button", { name: "Try now" }).first();
  await again.waitFor();
  await screenshot(page, "dash-disconnected");
  proxy.pass();
  const before = proxy.accepted;
  await page.evaluate(() => globalThis.waitNoMore());
  await again.click();
  await says(page, "Connected");
  assert.ok(proxy.accepted > before);
});

test("tabs are moved by arrows, hold one tab stop, and are in the address", async (t) => {
  const page = await openDashboard(t, browser, house);
  const stops = () => page.locator("[role=tab][tabindex='0']").allTextContents();
  assert.deepEqual(await stops(), ["Events"]);
  await page.getByRole("tab", { name: "Events" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.locator("#panel-state").waitFor();
  assert.match(page.url(), /#\/state$/);
  assert.deepEqual(await stops(), ["State"]);
  assert.equal(await page.locator(":focus").textContent(), "State");
  await page.keyboard.press("End");
  assert.deepEqual(await stops(), ["Charts"]);
  await page.keyboard.press("ArrowRight");
  assert.deepEqual(await stops(), ["Events"]);
  await page.goBack();
  await until("back leads to Charts", async () => (await stops())[0] === "Charts");
  assert.equal(await page.title(), "Charts · peal");
});

test("keys do what ? lists, but not while somebody types, nor when turned off", async (t) => {
  const page = await openDashboard(t, browser, house);
  await page.keyboard.press("s");
  await page.locator("#panel-state").waitFor();
  await page.keyboard.press("e");
  await page.keyboard.press("/");
  assert.equal(await page.locator(":focus").getAttribute("id"), "events-pattern");
  await page.keyboard.press("s");
  assert.match(page.url(), /#\/events$/);
  await page.locator("#main").focus();
  await page.keyboard.press("?");
  const sheet = page.getByRole("dialog", { name: "Keyboard" });
  await sheet.getByText("append an event").waitFor();
  await assertAccessible(page, "the list of keys");
  await screenshot(page, "dash-keys");
  await sheet.getByLabel("Shortcuts of one key are on").uncheck();
  await sheet.getByRole("button", { name: "Close" }).click();
  await page.keyboard.press("s");
  await page.keyboard.press("?");
  await sheet.waitFor();
  assert.match(page.url(), /#\/events$/);
});

test("the theme is kept, and is there in the first frame after a reload", async (t) => {
  const page = await openDashboard(t, browser, house, { colorScheme: "light" });
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.keyboard.press("t");
  await page.keyboard.press("t");
  const dark = await background();
  assert.notEqual(light, dark);
  await page.reload();
  assert.equal(await background(), dark);
  await page.keyboard.press("t");
  assert.equal(await background(), light);
});

test("there is one status region, polite, and it is told of the connection", async (t) => {
  const proxy = await startProxy(t, house);
  const near = { ...house, url: `https://127.0.0.1:${proxy.port}`, token: house.token };
  const page = await openDashboard(t, browser, near);
  const live = await page.locator("[aria-live]:not([aria-live=off]), [role=status], [role=log]")
    .evaluateAll((found) => found.map((e) => `${e.id} ${e.ariaLive}`));
  assert.deepEqual(live, ["status polite"]);
  await page.evaluate(() => {
    globalThis.said = [];
    new MutationObserver(() => globalThis.said.push(document.querySelector("#status").textContent))
      .observe(document.querySelector("#status"), { childList: true, characterData: true,
        subtree: true });
  });
  proxy.reset();
  await until("lost and found again are said", () => page.evaluate(() =>
    globalThis.said.some((s) => s.startsWith("Connection lost"))
      && globalThis.said.at(-1) === "Connected"));
});

test("nothing is drawn while the page is hidden, and what came is drawn after", async (t) => {
  const page = await openDashboard(t, browser, house);
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { configurable: true,
      get: () => globalThis.seen ?? "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  const { frames } = await inPage(page, "/dashboard/frame.js", "counts");
  const kept = page.locator(".event-row .c-topic", { hasText: "hidden.1" });
  await page.evaluate(async () => {
    const { connect } = await import("/peal.js");
    const token = sessionStorage.getItem("peal.token");
    const c = connect(undefined, { getToken: () => token });
    const heard = new Promise((resolve) => {
      c.subscribe("hidden.>").on("event", (e) => e.type === "last" && resolve());
    });
    for (let i = 0; i < 20; i++) await c.append("hidden.1", i < 19 ? "came" : "last", {});
    await heard;
    c.close();
  });
  assert.equal((await inPage(page, "/dashboard/frame.js", "counts")).frames, frames);
  assert.equal(await kept.count(), 0);
  await page.evaluate(() => {
    globalThis.seen = "visible";
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await kept.first().waitFor();
  assert.ok((await inPage(page, "/dashboard/frame.js", "counts")).frames > frames);
});

test("axe-core finds what is wrong where something is", async (t) => {
  const page = await openDashboard(t, browser, house);
  await page.evaluate(() => {
    document.querySelector("#events-pattern").removeAttribute("aria-label");
    document.querySelector("#events-pattern").removeAttribute("title");
    document.querySelector("#events-pattern").removeAttribute("placeholder");
  });
  assert.match((await violations(page)).join("\n"), /^label:/m);
});

test("the frame fits a phone and forced colours", async (t) => {
  const page = await openDashboard(t, browser, house, { viewport: PHONE });
  await go(page, "#/events");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= PHONE.width, `${wide} px`);
  await page.emulateMedia({ forcedColors: "active" });
  await screenshot(page, "dash-forced-colors");
  assertNoProblems(page);
});

test("what we wrote works where scripts may only be made of trusted types, too", async (t) => {
  const strict = await startHouse(t, { gateways: 1 });
  const index = join(strict.directory, "site/index.html");
  const policy = "<meta http-equiv=\"Content-Security-Policy\" "
    + "content=\"require-trusted-types-for 'script'\">";
  writeFileSync(index, readFileSync(index, "utf8").replace("<head>", `<head>${policy}`));
  await strict.replace("gateway"); // it reads what it serves when it starts
  const page = await until("the gateway is back", () => openDashboard(t, browser, strict));
  await assert.rejects(page.evaluate(() => {
    document.createElement("p").innerHTML = "<b>x</b>";
  }), /TrustedHTML/);
  page.problems.length = 0;
  for (const name of ["Events", "State", "Graph"]) {
    await page.getByRole("tab", { name }).click();
    await page.locator(`#panel-${name.toLowerCase()} > *`).first().waitFor();
  }
  await page.locator("#tools").getByRole("button", { name: "Append" }).click();
  await page.locator("#append-topic").waitFor();
  await page.locator("#tools").getByRole("button", { name: "Fall behind" }).click();
  await page.locator(".steps").waitFor();
  assertNoProblems(page);
});
