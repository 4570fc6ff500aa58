/** Durations for people. */

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** The two largest units of a span: `3 h 5 min`, `12 s`, `250 ms`. Negative spans count as zero. */
export function humanDuration(ms: number): string {
  const span = Math.max(0, Math.round(ms));
  if (span < 1_000) return `${span} ms`;
  const at = UNITS.findIndex(([, size]) => span >= size);
  const [unit, size] = UNITS[at] ?? UNITS[3];
  const next = UNITS[at + 1];
  const whole = Math.floor(span / size);
  const rest = next === undefined ? 0 : Math.floor((span - whole * size) / next[1]);
  return rest === 0 || next === undefined
    ? `${whole} ${unit}`
    : `${whole} ${unit} ${rest} ${next[0]}`;
}

/** `3 min ago` for a time in milliseconds, `just now` within a second, `-` for anything else. */
export function ago(at: unknown, now: number): string {
  if (typeof at !== "number" || !Number.isFinite(at)) return "-";
  return now - at < 1_000 ? "just now" : `${humanDuration(now - at)} ago`;
}
