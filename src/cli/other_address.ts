/** Under which addresses other machines reach a program of this one. */

import { isLoopbackAddress, reachableHost } from "../core/host.ts";

/** Most addresses that are named: a machine with containers has dozens, and the first are its own. */
export const MAX_ADDRESSES = 4;

/** An interface of this machine. */
export type Interface = Pick<Deno.NetworkInterfaceInfo, "family" | "address">;

/** A link's own address, which means nothing without the name of the link. */
const LINK_LOCAL = /^(?:fe[89ab][0-9a-f]:|169\.254\.)/i;

/**
 * The URLs of a listener that is bound to `host`, for other machines; at most {@linkcode MAX_ADDRESSES},
 * IPv4 first. None for one that is bound to a single address, whose own URL says it.
 */
export function otherAddresses(
  { scheme, host, port }: {
    readonly scheme: string;
    readonly host: string;
    readonly port: string;
  },
  interfaces: readonly Interface[],
): readonly string[] {
  if (host !== "0.0.0.0" && host !== "::") return [];
  const outside = interfaces.filter(({ address }) =>
    !isLoopbackAddress(address) && !LINK_LOCAL.test(address)
  );
  const ofFamily = (family: Interface["family"]) =>
    outside.filter((own) => own.family === family).map(({ address }) => address);
  const addresses = new Set([...ofFamily("IPv4"), ...(host === "::" ? ofFamily("IPv6") : [])]);
  return [...addresses].slice(0, MAX_ADDRESSES)
    .map((address) => `${scheme}//${reachableHost(address)}:${port}`);
}
