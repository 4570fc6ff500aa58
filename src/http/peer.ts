/** Who sent a request: the TCP peer, or whom a proxy names that the operator trusts. */

import {
  addressInRange,
  hostName,
  isAddress,
  isLoopbackAddress,
  isLoopbackHost,
} from "../core/host.ts";
import type { Peer } from "../core/peer.ts";
import { escapeText } from "../core/quote.ts";

/** Headers that proxies add, besides `X-Forwarded-…`. Their mere presence means that one stands between. */
const FORWARDING: ReadonlySet<string> = new Set([
  "forwarded",
  "via",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "true-client-ip",
  "cf-connecting-ip",
]);

/** Longest text of an address, in characters: IPv6 with an IPv4 tail. */
const MAX_ADDRESS_CHARS = 45;

/**
 * The peer of a request. Forwarding headers are believed from `trustedProxies` alone: there the client
 * is the last address in `X-Forwarded-For` that is no trusted proxy. A trusted proxy that names none is
 * the peer itself: `X-Real-IP` is never believed, as a proxy that does not set it hands on what the
 * client wrote. From anyone else no header is believed, and as they show that something stands between,
 * such a peer is never local; whom they name is kept apart, to tell failures apart.
 */
export function peerOf(
  headers: Headers,
  connection: { remoteAddress: string; trustedProxies: readonly string[] },
): Peer {
  const { remoteAddress, trustedProxies } = connection;
  const forwarded = isForwarded(headers);
  const trusted = isTrusted(remoteAddress, trustedProxies);
  const chain = forwardedFor(headers);
  const named = trusted
    ? addressOf(chain.findLast((address) => !isTrusted(address, trustedProxies)))
    : undefined;
  const claimed = forwarded && named === undefined
    ? addressOf(chain.at(-1) ?? headers.get("x-real-ip") ?? undefined)
    : undefined;
  const host = headers.get("host") ?? undefined;
  const local = !forwarded && isLoopbackAddress(remoteAddress) && host !== undefined &&
    isLoopbackHost(hostName(host));
  return {
    ip: escapeText(named ?? remoteAddress),
    local,
    ...(forwarded ? { forwarded } : {}),
    ...(claimed === undefined ? {} : { claimedIp: claimed }),
    origin: headers.get("origin") ?? undefined,
    host,
    userAgent: optionalText(headers.get("user-agent")),
  };
}

function isForwarded(headers: Headers): boolean {
  for (const name of headers.keys()) {
    if (FORWARDING.has(name) || name.startsWith("x-forwarded-")) return true;
  }
  return false;
}

/** The addresses of `X-Forwarded-For`, without ports: the last one is what the nearest proxy saw. */
function forwardedFor(headers: Headers): readonly string[] {
  return (headers.get("x-forwarded-for") ?? "").split(",").map((part) => hostName(part))
    .filter((part) => part !== "");
}

/** The text where it is an address; anything else names nobody. */
function addressOf(text: string | undefined): string | undefined {
  const address = text === undefined ? "" : hostName(text);
  return address.length <= MAX_ADDRESS_CHARS && isAddress(address) ? address : undefined;
}

function isTrusted(address: string, trustedProxies: readonly string[]): boolean {
  return trustedProxies.some((range) => addressInRange(address, range));
}

function optionalText(text: string | null): string | undefined {
  return text === null ? undefined : escapeText(text);
}
