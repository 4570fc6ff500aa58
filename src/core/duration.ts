/** Durations as people write them in a configuration. */

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/**
 * Milliseconds of a text such as `30m`, `1h30m`, `1.5h`, `90s`, `500ms`, `2d`, `0m`; a bare number
 * counts as minutes. Undefined for anything else.
 */
export function parseDuration(text: string): number | undefined {
  const compact = text.trim().toLowerCase();
  if (compact.length > MAX_DURATION_CHARS) return undefined;
  if (/^\d+(\.\d+)?$/.test(compact)) return Number(compact) * 60_000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(compact)) return undefined;
  let total = 0;
  for (const [, amount, unit = ""] of compact.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (UNIT_MS.get(unit) ?? 0);
  }
  return Math.round(total);
}

/** Longest text that can be a duration. */
const MAX_DURATION_CHARS = 32;
