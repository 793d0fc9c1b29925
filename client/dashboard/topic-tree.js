// SPDX-License-Identifier: BSD-2-Clause

// Topics as a tree of their tokens, of which only open branches cost anything to list.
// Chains without a fork are one branch, so that depth says where there is a choice.

class Branch {
  constructor() {
    this.children = new Map(); // token -> Branch
    this.topic = null; // set where a topic ends
    this.count = 0; // topics in and below
    this.sorted = null;
  }

  list() {
    this.sorted ??= [...this.children.keys()].sort((a, b) => (a < b ? -1 : 1));
    return this.sorted;
  }
}

export class TopicTree {
  constructor() {
    this.root = new Branch();
    this.open = new Set(); // prefixes
    this.topics = new Set();
  }

  get size() {
    return this.topics.size;
  }

  has(topic) {
    return this.topics.has(topic);
  }

  add(topic) {
    if (this.topics.has(topic)) return false;
    this.topics.add(topic);
    let branch = this.root;
    branch.count++;
    for (const token of topic.split(".")) {
      let next = branch.children.get(token);
      if (!next) {
        next = new Branch();
        branch.children.set(token, next);
        branch.sorted = null;
      }
      branch = next;
      branch.count++;
    }
    branch.topic = topic;
    return true;
  }

  delete(topic) {
    if (!this.topics.delete(topic)) return false;
    let branch = this.root;
    branch.count--;
    const tokens = topic.split(".");
    for (const [i, token] of tokens.entries()) {
      const next = branch.children.get(token);
      next.count--;
      if (next.count === 0) {
        branch.children.delete(token);
        branch.sorted = null;
        return true;
      }
      if (i === tokens.length - 1) next.topic = null;
      branch = next;
    }
    return true;
  }

  /** Becomes exactly these topics; says whether that changed anything. */
  set(topics) {
    const keep = new Set(topics);
    let changed = false;
    for (const topic of [...this.topics]) {
      if (!keep.has(topic)) changed = this.delete(topic) || changed;
    }
    for (const topic of keep) changed = this.add(topic) || changed;
    return changed;
  }

  /**
   * The rows in sight, in order: { prefix, label, level, topic, count, open, place, of }.
   * `topic` is null for a branch, which `open` (a boolean) belongs to; `place` of `of` is
   * where it stands among its siblings, from 1.
   */
  rows() {
    const out = [];
    this.#list(this.root, "", 1, out);
    return out;
  }

  #list(branch, prefix, level, out) {
    const start = out.length;
    for (const token of branch.list()) {
      let next = branch.children.get(token);
      let label = token;
      while (next.topic === null && next.children.size === 1) {
        const [only] = next.children.keys();
        label += `.${only}`;
        next = next.children.get(only);
      }
      const name = prefix + label;
      if (next.topic !== null) {
        out.push({ prefix: name, label, level, topic: next.topic, count: 1 });
      }
      if (next.children.size === 0) continue;
      const open = this.open.has(name);
      out.push({
        prefix: name,
        label: `${label}.`,
        level,
        topic: null,
        count: next.count - (next.topic === null ? 0 : 1),
        open,
      });
      if (open) this.#list(next, `${name}.`, level + 1, out);
    }
    const mine = [];
    for (let i = start; i < out.length; i++)
      if (out[i].level === level) mine.push(out[i]);
    mine.forEach((row, i) => Object.assign(row, { place: i + 1, of: mine.length }));
  }

  /** Opens branches, the outer ones first, while no more than `most` rows are listed. */
  openUpTo(most) {
    for (;;) {
      const rows = this.rows();
      const closed = rows
        .filter((row) => row.topic === null && !row.open)
        .sort((a, b) => a.level - b.level || a.count - b.count);
      const next = closed.find((row) => rows.length + row.count <= most);
      if (!next) return;
      this.open.add(next.prefix);
    }
  }

  /** Opens what hides the topic. */
  reveal(topic) {
    let prefix = "";
    for (const token of topic.split(".").slice(0, -1)) {
      prefix += prefix === "" ? token : `.${token}`;
      this.open.add(prefix);
    }
  }
}
