// SPDX-License-Identifier: BSD-2-Clause

// Builds elements. Whatever is data becomes a text node or an attribute that can't run:
// there is no way through here to HTML, to inline styles or to inline handlers.

const SVG = "http://www.w3.org/2000/svg";
// Attributes in which a string would run or load something.
const REFUSED = new Set(["style", "srcdoc", "src", "href", "action", "formaction"]);

function setAttribute(element, name, value) {
  if (value === undefined || value === null || value === false) return;
  const plain = name.toLowerCase();
  if (plain.startsWith("on") || REFUSED.has(plain)) {
    throw new TypeError(`the attribute ${name} is not for data`);
  }
  element.setAttribute(name, value === true ? "" : String(value));
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [type, handler] of Object.entries(value)) {
        element.addEventListener(type, handler);
      }
    } else {
      setAttribute(element, name, value);
    }
  }
  element.append(
    ...children
      .flat(Infinity)
      .filter((c) => c !== null && c !== undefined && c !== false),
  );
  return element;
}

/**
 * An element: `h("button", { type: "button", class: "quiet", on: { click } }, "Pause")`.
 * Attributes that are undefined, null or false are left out, true ones are empty;
 * children are nodes, strings, arrays of these, or nothing (null, undefined, false).
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** An icon of 16 × 16 from one path, which screen readers pass over. */
export function icon(path) {
  return svg(
    "svg",
    { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: path }),
  );
}

/** Sets the text only where it changed, so that nothing is laid out again for nothing. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets or removes an attribute, only where that changes it. */
export function setAttr(element, name, value) {
  const now = element.getAttribute(name);
  if (value === null || value === undefined || value === false) {
    if (now !== null) element.removeAttribute(name);
  } else if (now !== String(value)) {
    setAttribute(element, name, String(value));
  }
}

/** Replaces what an element holds. */
export function replace(element, ...children) {
  element.replaceChildren();
  return fill(element, {}, children);
}
