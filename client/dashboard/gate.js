// SPDX-License-Identifier: BSD-2-Clause

// The form that asks for a token, where there is none or the server refused it. It says
// why in plain words, and takes a token or the whole link that `peal up` prints.

import { h, replace, setAttr, setText } from "./dom.js";
import { tokenIn } from "./session.js";

// Close codes of the protocol.
const TOKEN_NEEDED = 4401;
const REVOKED = 4503;

function createForm(onToken) {
  const why = h("p", { id: "gate-why" });
  const fault = h("p", { class: "fault", id: "gate-fault", role: "alert" });
  const input = h("input", {
    id: "gate-token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    "aria-describedby": "gate-why gate-hint gate-fault",
  });
  const form = h(
    "form",
    { class: "gate-form", "aria-labelledby": "gate-title", novalidate: true },
    h("h2", { id: "gate-title" }, "A token is needed"),
    why,
    h(
      "div",
      { class: "field" },
      h("label", { for: "gate-token" }, "Token"),
      input,
      fault,
      h(
        "p",
        { class: "hint", id: "gate-hint" },
        "Paste a token, or the link that ",
        h("code", {}, "peal up"),
        " prints. It stays in this tab and is forgotten with it. ",
        h("code", {}, "peal token --data DIR --sub NAME --read '>'"),
        " makes one.",
      ),
    ),
    h("div", {}, h("button", { class: "primary" }, "Connect")),
  );
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const token = tokenIn(input.value);
    setAttr(input, "aria-invalid", token === null ? "true" : null);
    setText(
      fault,
      token === null
        ? "This is no token: a token has three parts, with dots between them."
        : "",
    );
    if (token === null) {
      input.focus();
      return;
    }
    input.value = "";
    onToken(token);
  });
  return { form, why, input };
}

/** Shows the form in `root` while `wanted` says why a token is asked for. */
export function createGate(root, main, { wanted, session, client }) {
  const { form, why, input } = createForm((token) => {
    const { state, retryAt } = client.connection.getSnapshot();
    session.give(token);
    // What has ended for good does not come back: begin anew, with the new token.
    if (state === "disconnected" && retryAt === undefined) location.reload();
    else client.reconnect();
  });
  replace(root, form);

  function draw() {
    const words = wanted.getSnapshot();
    const shown = words !== null;
    if (root.hidden === !shown) return;
    setText(why, words ?? "");
    root.hidden = !shown;
    main.classList.toggle("gated", shown);
    if (shown) input.focus();
  }
  wanted.subscribe(draw);
  client.on("disconnected", ({ code }) => {
    if (code === TOKEN_NEEDED || code === REVOKED) session.refuse(code === REVOKED);
  });
  draw();
}
