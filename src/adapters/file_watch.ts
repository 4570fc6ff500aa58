/** Notices when files that people edit have changed. */

import type { Cancel, Clock } from "../ports/clock.ts";

/** Time between two looks, in milliseconds: short enough for a change to count within a second. */
export const WATCH_INTERVAL_MS = 500;

/**
 * Calls `changed` with the path of a file that was written, replaced, made or removed since the last
 * look. Looks instead of being told, as the state folder's database changes all the time. Calls wait
 * for each other; one that fails is the caller's matter.
 */
export function watchFiles(
  paths: readonly string[],
  options: { readonly clock: Clock; readonly changed: (path: string) => Promise<void> },
): Cancel {
  const { clock, changed } = options;
  const known = new Map<string, string>();
  let stopped = false;
  let cancel: Cancel = () => {};
  const look = async (): Promise<void> => {
    for (const path of paths) {
      const now = fingerprint(path);
      const before = known.get(path);
      known.set(path, now);
      if (before !== now && !stopped) await changed(path);
    }
    if (!stopped) cancel = clock.after(WATCH_INTERVAL_MS, () => void look());
  };
  // The first look is over when this returns: no later change goes unnoticed.
  for (const path of paths) known.set(path, fingerprint(path));
  cancel = clock.after(WATCH_INTERVAL_MS, () => void look());
  return () => {
    stopped = true;
    cancel();
  };
}

function fingerprint(path: string): string {
  try {
    const { ino, size, mtime } = Deno.statSync(path);
    return `${ino} ${size} ${mtime?.getTime()}`;
  } catch {
    return "absent";
  }
}
