/** Records written and read by a dotted path, as tests name settings. */

/** A record with `value` at `path`, e.g. `a.b`. */
export function recordAt(path: string, value: unknown): unknown {
  return path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
}

/** What lies at `path`; undefined where nothing does. */
export function valueAt(root: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined,
    root,
  );
}
