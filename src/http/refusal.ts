/** Refusals as every port answers them, and what is sent with each answer. */

import { hostAllowed } from "../core/host.ts";
import type { Peer } from "../core/peer.ts";

/** Sent with every answer: nothing of ours runs in a frame, loads from elsewhere, or is guessed at. */
export const SECURITY_HEADERS = {
  "content-security-policy":
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store",
} as const;

/** The answer to a request that a page with a rebound name sent; undefined when its Host is ours. */
export function hostRefusal(peer: Peer, allowedHosts: readonly string[]): Response | undefined {
  if (hostAllowed(peer.host, allowedHosts)) return undefined;
  return problem(403, "this Host is not served; name it in gateway.allowedHosts");
}

/** A refusal as JSON. */
export function problem(
  status: number,
  message: string,
  more: Readonly<Record<string, string>> = {},
): Response {
  const headers = { ...SECURITY_HEADERS, ...more, "content-type": "application/json" };
  return new Response(JSON.stringify({ error: { message } }), { status, headers });
}
