/** Addresses that answer only to this machine and tell its secrets: link-local and cloud metadata. */

/** Names of cloud metadata services. */
const METADATA_NAMES: ReadonlySet<string> = new Set([
  "metadata",
  "metadata.google.internal",
  "metadata.goog",
  "instance-data",
  "instance-data.ec2.internal",
]);

/** IPv4 addresses of metadata services outside 169.254.0.0/16. */
const METADATA_IPV4: ReadonlySet<string> = new Set(["100.100.100.200", "192.0.0.192"]);

/** IPv6 addresses of metadata services outside fe80::/10, as their eight groups. */
const METADATA_IPV6: ReadonlySet<string> = new Set([
  "fd00:ec2:0:0:0:0:0:254",
  "fd20:ce:0:0:0:0:0:254",
]);

/**
 * Whether a host is link-local or a metadata service. `host` is the `hostname` of a parsed http address,
 * where numbers of any form are already dotted decimals and IPv6 is in brackets. A name that a name
 * server leads to such an address is not known here.
 */
export function isMetadataHost(host: string): boolean {
  const name = host.toLowerCase().replace(/\.+$/, "");
  if (name.startsWith("[")) return isMetadataIpv6(name.slice(1, -1));
  return METADATA_NAMES.has(name) || isMetadataIpv4(name);
}

function isMetadataIpv4(address: string): boolean {
  return /^169\.254\.\d+\.\d+$/.test(address) || METADATA_IPV4.has(address);
}

function isMetadataIpv6(address: string): boolean {
  const groups = groupsOf(address);
  const [first = 0, second = 0] = groups;
  if ((first & 0xffc0) === 0xfe80) return true;
  if (METADATA_IPV6.has(groups.map((group) => group.toString(16)).join(":"))) return true;
  const lead = groups.slice(0, 6).map((group) => group.toString(16)).join(":");
  // IPv4 inside IPv6: mapped, compatible, translated (RFC 6145), NAT64 (RFC 6052).
  const carriers = ["0:0:0:0:0:ffff", "0:0:0:0:0:0", "0:0:0:0:ffff:0", "64:ff9b:0:0:0:0"];
  if (carriers.includes(lead)) return isMetadataIpv4(dotted(groups[6], groups[7]));
  // 6to4 (RFC 3056).
  return first === 0x2002 && isMetadataIpv4(dotted(second, groups[2]));
}

/** The eight numbers of an IPv6 address in its canonical text. */
function groupsOf(address: string): readonly number[] {
  const [head = "", tail] = address.split("::");
  const numbers = (text: string) =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [left, right] = [numbers(head), numbers(tail ?? "")];
  if (tail === undefined) return left;
  return [
    ...left,
    ...new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0),
    ...right,
  ];
}

function dotted(high = 0, low = 0): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
