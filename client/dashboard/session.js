// SPDX-License-Identifier: BSD-2-Clause

// The token of this tab: from the link's fragment, which is emptied at once, or pasted.
// It is kept in sessionStorage: gone with the tab and unknown to others, yet a reload,
// which no longer has the fragment, does not send its user back to the terminal. It is
// sent in `hello` alone, never shown, and forgotten when the server refuses it.

const KEY = "peal.token";

function fromFragment() {
  const match = /^#(?:.*&)?token=([^&]*)/.exec(location.hash);
  if (!match) return null;
  history.replaceState(history.state, "", location.pathname + location.search);
  try {
    return decodeURIComponent(match[1]).trim() || null;
  } catch {
    return match[1].trim();
  }
}

function recall() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function keep(token) {
  try {
    if (token) sessionStorage.setItem(KEY, token);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Refused: it lasts as long as the page.
  }
}

/** What a pasted text holds: a token as such, or in a link. Null: nothing of the kind. */
export function tokenIn(text) {
  const token = /(?:[#&]token=)?([\w-]+\.[\w-]+\.[\w-]+)\s*$/.exec(text.trim());
  return token ? token[1] : null;
}

function whyWanted(token, revoked) {
  if (revoked) return "Access was revoked: what this token allowed has been taken back.";
  return token
    ? "The server refused the token: it has expired, or is not for this server."
    : "This server asks for a token.";
}

/**
 * `getToken` for connect(): the token, null to try without, or, after a refusal, a
 * promise that waits for another one. `wanted` is a store: why the user is asked for a
 * token, in words, or null.
 */
export function createSession(wanted) {
  let token = fromFragment() ?? recall();
  let waiting = [];
  keep(token);

  function give(next) {
    token = next;
    keep(token);
    wanted.set(null);
    for (const resolve of waiting) resolve(token);
    waiting = [];
  }

  addEventListener("hashchange", () => {
    const next = fromFragment();
    if (next) give(next);
  });

  return {
    give,
    /** The server wants another token; `revoked`: what it was for has been taken back. */
    refuse(revoked) {
      wanted.set(whyWanted(token, revoked));
      token = null;
      keep(null);
    },
    getToken({ signal }) {
      if (wanted.getSnapshot() === null) return token;
      return new Promise((resolve, reject) => {
        waiting.push(resolve);
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    },
  };
}
