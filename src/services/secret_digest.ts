/** Secrets compared and derived without telling anything by the time that it takes. */

import { sha256, toHex } from "../core/digest.ts";

const encoder = new TextEncoder();

/** Whether two texts are equal. The time depends on their lengths alone, never on where they differ. */
export async function sameSecret(left: string, right: string): Promise<boolean> {
  const [a, b] = await Promise.all([secretDigest(left), secretDigest(right)]);
  return sameDigest(a, b);
}

/** What {@linkcode sameDigest} compares; kept where one text is compared with many. */
export function secretDigest(text: string): Promise<Uint8Array<ArrayBuffer>> {
  return sha256(encoder.encode(text));
}

/** Whether two digests are equal, in a time that does not depend on where they differ. */
export function sameDigest(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let at = 0; at < a.length; at++) difference |= (a[at] ?? 0) ^ (b[at] ?? 0);
  return difference === 0;
}

/** A key for {@linkcode derive}, made from a secret text. */
export function derivationKey(secret: string): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
}

/** `bytes` bytes (32 at the most) of HMAC-SHA-256 over the parts, as lower-case hex. Parts hold no line break. */
export async function derive(
  key: CryptoKey,
  parts: readonly string[],
  bytes: number,
): Promise<string> {
  const mac = await crypto.subtle.sign("HMAC", key, encoder.encode(parts.join("\n")));
  return toHex(new Uint8Array(mac).subarray(0, bytes));
}
