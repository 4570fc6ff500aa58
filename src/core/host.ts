/** Hosts, addresses and origins: what counts as this machine, and which page may speak to it. */

/** The name or address of a Host header or URL authority, lower case, without port and brackets. */
export function hostName(authority: string): string {
  const trimmed = authority.trim().toLowerCase();
  const bracketed = /^\[([0-9a-f:.%]+)\](?::\d*)?$/.exec(trimmed);
  if (bracketed !== null) return bracketed[1] ?? "";
  if (trimmed.split(":").length > 2) return trimmed;
  return trimmed.replace(/:\d*$/, "");
}

/** An address in its usual form: IPv4 that a dual-stack socket tells as IPv6 is IPv4 again. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

/** Whether an address is the machine itself: 127.0.0.0/8, `::1`, and the IPv4 ones written as IPv6. */
export function isLoopbackAddress(address: string): boolean {
  const plain = plainAddress(address.toLowerCase());
  return plain === "::1" || isIpv4(plain) && plain.startsWith("127.");
}

/** Whether a host name or address in a Host or Origin header names the machine itself. */
export function isLoopbackHost(name: string): boolean {
  return name === "localhost" || isLoopbackAddress(name);
}

/** Whether a host is written as an address; no DNS answer can point such a name elsewhere. */
export function isAddress(name: string): boolean {
  return isIpv4(name) || /^[0-9a-f:.%]*:[0-9a-f:.%]*$/.test(name);
}

/**
 * The host that a client on this machine dials where a program listens on `host`: an address that
 * stands for every interface becomes loopback, an IPv6 address is bracketed as in a URL.
 */
export function reachableHost(host: string): string {
  const plain = /^\[(.*)\]$/.exec(host)?.[1] ?? host;
  if (plain === "0.0.0.0") return "127.0.0.1";
  if (plain === "::") return "[::1]";
  return plain.includes(":") ? `[${plain}]` : plain;
}

/** What an Origin is compared with. */
export interface OriginRules {
  /** The Host header of the request. */
  readonly host: string | undefined;
  /** Origins that the configuration names, e.g. `https://chat.example.org`; `*` is not a wildcard. */
  readonly allowedOrigins: readonly string[];
}

/**
 * Whether a page of this origin may open a connection: the gateway's own pages (same host and port),
 * those that the configuration names, and pages on loopback when the gateway is spoken to over
 * loopback (any port: a development server). `null` and anything that is no origin are refused.
 */
export function originAllowed(origin: string, rules: OriginRules): boolean {
  const url = parseOrigin(origin);
  if (url === undefined) return false;
  if (rules.allowedOrigins.some((allowed) => parseOrigin(allowed)?.origin === url.origin)) {
    return true;
  }
  if (rules.host === undefined) return false;
  if (url.host === rules.host.trim().toLowerCase()) return true;
  return isLoopbackHost(hostName(url.host)) && isLoopbackHost(hostName(rules.host));
}

/** Whether a Host header names this gateway; anything else may be a page that rebinds its DNS name. */
export function hostAllowed(host: string | undefined, allowedHosts: readonly string[]): boolean {
  if (host === undefined) return false;
  const name = hostName(host);
  if (isLoopbackHost(name) || isAddress(name)) return true;
  return allowedHosts.some((allowed) => hostName(allowed) === name);
}

/** Whether an address is `range`, or lies in it where that is written with a prefix length (`10.0.0.0/8`). */
export function addressInRange(address: string, range: string): boolean {
  const [base = "", prefix] = range.split("/");
  const own = addressBits(address);
  const other = addressBits(base);
  if (own === undefined || other === undefined || own.width !== other.width) return false;
  const length = prefix === undefined ? own.width : Number(prefix);
  if (!Number.isInteger(length) || length < 0 || length > own.width) return false;
  const shift = BigInt(own.width - length);
  return own.value >> shift === other.value >> shift;
}

/** An address as a number and its width in bits; IPv4 written as IPv6 counts as IPv4. */
function addressBits(address: string): { value: bigint; width: number } | undefined {
  const plain = plainAddress(address.toLowerCase());
  if (isIpv4(plain)) {
    const value = plain.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
    return { value, width: 32 };
  }
  if (!plain.includes(":") || !URL.canParse(`http://[${plain}]/`)) return undefined;
  const [head = "", tail] = new URL(`http://[${plain}]/`).hostname.slice(1, -1).split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [
    ...front,
    ...new Array<string>(8 - front.length - back.length).fill("0"),
    ...back,
  ];
  const value = groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
  return { value, width: 128 };
}

function isIpv4(name: string): boolean {
  const parts = name.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}

function parseOrigin(text: string): URL | undefined {
  if (!/^https?:\/\/[^/?#\s@\\]+$/i.test(text)) return undefined;
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/**
 * What one host has of addresses, as a name to count by: an IPv4 address as it is, also when mapped into
 * IPv6; of IPv6 the first four groups.
 */
export function network(address: string): string {
  const ip = address.toLowerCase();
  const mapped = /^[0:]*:ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(ip)?.[1];
  if (mapped !== undefined) return mapped;
  if (!ip.includes(":")) return ip;
  const [head = "", tail] = ip.replace(/%.*$/, "").split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const gap = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...new Array<string>(gap).fill("0"), ...back];
  return groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":");
}
