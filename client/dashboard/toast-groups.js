// SPDX-License-Identifier: BSD-2-Clause

// Which changes make one toast. Those of an actor are one group while its toast is shown;
// an actor who goes on then is a storm, of which nothing more is said until it has been
// calm.

const STORM = 10; // changes while a toast is shown
const CALM = 10_000; // ms without a change
const ACTORS = 200;
const TOPICS = 1000; // that are counted one by one

/**
 * `take(event, now)` returns the group that the event made or changed, or null: it is
 * part of a storm. `end(group, now)`: its toast is gone.
 */
export function createGroups() {
  const actors = new Map(); // actor -> { group, last, muted }

  function entryOf(actor, now) {
    let entry = actors.get(actor);
    if (entry && !entry.group && now - entry.last > CALM) entry.muted = false;
    entry ??= { group: null, last: now, muted: false };
    // The one that was quiet for longest is forgotten.
    actors.delete(actor);
    actors.set(actor, entry);
    if (actors.size > ACTORS) actors.delete(actors.keys().next().value);
    return entry;
  }

  return {
    take(event, now) {
      const entry = entryOf(event.actor, now);
      entry.last = now;
      if (entry.muted) return null;
      entry.group ??= {
        actor: event.actor,
        events: 0,
        topics: 0,
        seen: new Set(),
        last: event,
      };
      const { group } = entry;
      group.events++;
      group.last = event;
      if (group.seen.size < TOPICS) group.seen.add(event.topic);
      group.topics = group.seen.size;
      return group;
    },
    end(group, now) {
      const entry = actors.get(group.actor);
      if (entry?.group !== group) return;
      entry.group = null;
      entry.muted = group.events > STORM;
    },
  };
}
