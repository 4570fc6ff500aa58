/** Who sent a request: the TCP peer, or whom a proxy names that the operator trusts. */

import { addressInRange, hostName, isLoopbackAddress, isLoopbackHost } from "../core/host.ts";
import type { Peer } from "../core/peer.ts";
import { escapeText } from "../core/quote.ts";

/** Headers by which proxies name the client. Their mere presence means that one stands between. */
const FORWARDING = ["x-forwarded-for", "x-real-ip", "x-forwarded-host", "forwarded"] as const;

/**
 * The peer of a request. Forwarding headers are believed from `trustedProxies` alone: there the client
 * is the last address in `X-Forwarded-For` that is no trusted proxy. From anyone else they are not
 * believed, and as they show that something stands between, such a peer is never local.
 */
export function peerOf(
  headers: Headers,
  connection: { remoteAddress: string; trustedProxies: readonly string[] },
): Peer {
  const { remoteAddress, trustedProxies } = connection;
  const forwarded = FORWARDING.some((name) => headers.has(name));
  const trusted = isTrusted(remoteAddress, trustedProxies);
  const named = forwarded && trusted ? clientOf(headers, trustedProxies) : undefined;
  const host = headers.get("host") ?? undefined;
  const local = !forwarded && isLoopbackAddress(remoteAddress) && host !== undefined &&
    isLoopbackHost(hostName(host));
  return {
    ip: escapeText(named ?? remoteAddress),
    local,
    origin: headers.get("origin") ?? undefined,
    host,
    userAgent: optionalText(headers.get("user-agent")),
  };
}

function clientOf(headers: Headers, trustedProxies: readonly string[]): string | undefined {
  const chain = (headers.get("x-forwarded-for") ?? "").split(",").map((part) => part.trim())
    .filter((part) => part !== "");
  return chain.findLast((address) => !isTrusted(address, trustedProxies)) ??
    headers.get("x-real-ip")?.trim();
}

function isTrusted(address: string, trustedProxies: readonly string[]): boolean {
  return trustedProxies.some((range) => addressInRange(address, range));
}

function optionalText(text: string | null): string | undefined {
  return text === null ? undefined : escapeText(text);
}
