/** UUIDs that sort by the time of their making (RFC 9562, version 7). */

/** A random UUID (version 4) with the time, in milliseconds since the Unix epoch, in place of its first 48 bits. */
export function timeOrderedUuid(random: string, at: number): string {
  const time = Math.trunc(at).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}
