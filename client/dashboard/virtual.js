// SPDX-License-Identifier: BSD-2-Clause

// A list of which only the rows in sight are in the document. Rows are recycled; the
// element that scrolls has the focus and names the active row (aria-activedescendant),
// since a row that is recycled could not keep it.

let lists = 0;

/** Where the key leads from `at`, of `size` rows, `page` at once; undefined: nowhere. */
function step(key, at, size, page) {
  const to = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + page,
    PageUp: at - page,
    Home: 0,
    End: size - 1,
  }[key];
  return to === undefined ? undefined : Math.max(0, Math.min(size - 1, to));
}

/**
 * `root` scrolls and has a role that may own rows. `make()` builds a row, `fill(row,
 * index)` shows an item in it, `size()` says how many there are. `ask()` is called when
 * the list should be drawn, by `draw()`, in the next frame. `onMove(index)` hears that
 * the active row is another, `onOpen(index)` that it was clicked or Enter pressed.
 * `inset()` is the height of what sticks to the top.
 */
export function createVirtual(
  root,
  { make, fill, size, ask, onMove, onOpen, inset = () => 0 },
) {
  const name = `list-${++lists}`;
  const space = document.createElement("div");
  space.className = "virtual";
  space.setAttribute("role", "presentation");
  root.append(space);
  const rows = [];
  let height = 0; // of a row
  let active = -1;
  let total = -1;
  let wanted = -1; // the row to be scrolled to, once all rows have their place

  function grow() {
    const row = make();
    row.id = `${name}-${rows.length}`;
    row.classList.add("virtual-row");
    space.append(row);
    rows.push({ row, at: -1 });
    return row;
  }

  function measure() {
    if (rows.length === 0) grow();
    rows[0].row.hidden = false; // what is hidden has no height
    const now = rows[0].row.offsetHeight;
    if (now > 0 && now !== height) {
      height = now;
      total = -1;
      for (const entry of rows) entry.at = -1;
    }
  }

  function place(entry, index) {
    if (entry.at !== index) {
      entry.at = index;
      entry.row.style.transform = `translateY(${index * height}px)`;
    }
    entry.row.hidden = false;
    fill(entry.row, index);
    entry.row.classList.toggle("active", index === active);
  }

  function draw() {
    if (root.clientHeight === 0) return;
    if (height === 0) measure();
    const many = size();
    if (many !== total) {
      total = many;
      space.style.height = `${many * height}px`;
    }
    if (active >= many) active = many - 1;
    if (wanted >= 0) reveal(Math.min(wanted, many - 1));
    wanted = -1;
    const first = Math.max(0, Math.floor((root.scrollTop - inset()) / height) - 2);
    const last = Math.min(
      many,
      Math.ceil((root.scrollTop + root.clientHeight) / height) + 2,
    );
    while (rows.length < last - first) grow();
    let owner = null;
    // An item keeps its row while it scrolls: row index % rows.length.
    const taken = new Set();
    for (let i = first; i < last; i++) {
      const entry = rows[i % rows.length];
      taken.add(entry);
      place(entry, i);
      if (i === active) owner = entry.row.id;
    }
    for (const entry of rows) {
      if (!taken.has(entry)) entry.row.hidden = true;
    }
    if (owner) root.setAttribute("aria-activedescendant", owner);
    else root.removeAttribute("aria-activedescendant");
  }

  function reveal(index) {
    const top = index * height;
    const seen = root.clientHeight - inset();
    if (top < root.scrollTop) root.scrollTop = top;
    else if (top + height > root.scrollTop + seen) root.scrollTop = top + height - seen;
  }

  function move(index) {
    active = index;
    wanted = index;
    onMove?.(index);
    ask();
  }

  root.addEventListener("scroll", ask, { passive: true });
  root.addEventListener("keydown", (e) => {
    if (e.target !== root || e.altKey || e.ctrlKey || e.metaKey || size() === 0) return;
    const page = Math.max(1, Math.floor((root.clientHeight - inset()) / height) - 1);
    const to = step(e.key, active, size(), page);
    if (to !== undefined) move(to);
    else if (e.key === "Enter" && active >= 0) onOpen?.(active, e);
    else return;
    e.preventDefault();
  });
  space.addEventListener("click", (e) => {
    const entry = rows.find(({ row }) => row.contains(e.target));
    if (!entry || entry.row.hidden) return;
    move(entry.at);
    onOpen?.(entry.at, e);
  });
  const watch = new ResizeObserver(() => {
    height = 0;
    ask();
  });
  watch.observe(root);
  ask();
  return {
    draw,
    move,
    get active() {
      return active;
    },
    /** Scrolls until a row is in sight. */
    reveal,
    /** Sets which row is active without moving there. */
    set active(index) {
      active = index;
      ask();
    },
    destroy: () => watch.disconnect(),
  };
}
