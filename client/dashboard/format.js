// SPDX-License-Identifier: BSD-2-Clause

// Times, durations and numbers as people read them. Times come in microseconds and are
// shown in the local zone; the exact microsecond is always to be had as a title.

const grouped = new Intl.NumberFormat("en");
const DAY = 86_400_000;

const pad = (n, width = 2) => String(n).padStart(width, "0");

function zone(date) {
  const east = -date.getTimezoneOffset();
  const minutes = Math.abs(east);
  return `${east < 0 ? "−" : "+"}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}

function dateText(d) {
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
}

function clockText(d) {
  return `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}

/** 1,234,567; also of BigInt. */
export function number(n) {
  return grouped.format(n);
}

/** "1 event", "2 events". */
export function count(n, one, many = `${one}s`) {
  return `${number(n)} ${n === 1 ? one : many}`;
}

/** The time of day with milliseconds; with the date where it is not today. */
export function timeText(us, now = Date.now()) {
  const date = new Date(Number(us) / 1000);
  if (Number.isNaN(date.getTime())) return String(us);
  const clock = `${clockText(date)}.${pad(date.getMilliseconds(), 3)}`;
  return Math.abs(now - date) < DAY && new Date(now).getDate() === date.getDate()
    ? clock
    : `${dateText(date)} ${clockText(date)}`;
}

/** The same to the microsecond, with date and zone. */
export function exactTime(us) {
  const date = new Date(Math.floor(Number(us) / 1000));
  if (Number.isNaN(date.getTime())) return String(us);
  const micros = ((Number(us) % 1e6) + 1e6) % 1e6;
  return `${dateText(date)} ${clockText(date)}.${pad(micros, 6)} ${zone(date)}`;
}

/** A duration in ms, in one unit: "0.3 s", "12 s", "3 min", "2 h", "5 d". */
export function duration(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 119.5) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172_800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} d`;
}

/** A round trip: "0.4 ms", "12 ms", "19 s". */
export function millis(ms) {
  if (ms >= 9950) return duration(ms);
  return ms < 9.95 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}
