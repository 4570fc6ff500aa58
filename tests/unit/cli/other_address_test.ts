import assert from "node:assert/strict";
import { type Interface, MAX_ADDRESSES, otherAddresses } from "../../../src/cli/other_address.ts";

const INTERFACES: readonly Interface[] = [
  { family: "IPv4", address: "127.0.0.1" },
  { family: "IPv6", address: "::1" },
  { family: "IPv6", address: "fe80::1" },
  { family: "IPv4", address: "169.254.1.1" },
  { family: "IPv6", address: "2001:db8::7" },
  { family: "IPv4", address: "192.0.2.7" },
  { family: "IPv4", address: "192.0.2.7" },
];

Deno.test("others reach every interface under the machine's own addresses, IPv4 first", () => {
  const at = (host: string) => otherAddresses({ scheme: "ws:", host, port: "5" }, INTERFACES);
  assert.deepEqual(at("0.0.0.0"), ["ws://192.0.2.7:5"]);
  assert.deepEqual(at("::"), ["ws://192.0.2.7:5", "ws://[2001:db8::7]:5"]);
  assert.deepEqual(at("127.0.0.1"), []);
  assert.deepEqual(at("192.0.2.7"), []);
});

Deno.test("a machine with many addresses names a few", () => {
  const many = Array.from({ length: 100 }, (_, index): Interface => ({
    family: "IPv4",
    address: `10.0.0.${index}`,
  }));
  const found = otherAddresses({ scheme: "ws:", host: "0.0.0.0", port: "5" }, many);
  assert.deepEqual([found.length, found[0]], [MAX_ADDRESSES, "ws://10.0.0.0:5"]);
});
