/** Conversations grouped by how long ago they were touched. Pure: the present comes in. */

const DAY_MS = 86_400_000;

/** The group of a moment: pinned, today, yesterday, week, month, or the year and month `2026-03`. */
export function groupOf(item, now) {
  if (item.pinned) return "pinned";
  const when = new Date(item.updated_at);
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  // Rounded, since days of 23 and 25 hours exist.
  const days = Math.round((midnight - new Date(when).setHours(0, 0, 0, 0)) / DAY_MS);
  if (days <= 0) return "today";
  if (days === 1) return "yesterday";
  if (days <= 7) return "week";
  if (days <= 30) return "month";
  return `${when.getFullYear()}-${String(when.getMonth() + 1).padStart(2, "0")}`;
}

/** `[{group, items}]`, pinned first, then newest first. */
export function grouped(items, now) {
  const groups = new Map([["pinned", []]]);
  const newest = [...items].sort((a, b) => +new Date(b.updated_at) - +new Date(a.updated_at));
  for (const item of newest) {
    const group = groupOf(item, now);
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(item);
  }
  return [...groups].filter(([, members]) => members.length).map(([group, members]) => ({ group, items: members }));
}
