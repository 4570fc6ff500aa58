import assert from "node:assert/strict";
import {
  addressInRange,
  hostAllowed,
  hostName,
  isAddress,
  isLoopbackAddress,
  originAllowed,
  plainAddress,
  reachableHost,
} from "../../../src/core/host.ts";

Deno.test("a host name is found in every form of an authority", () => {
  const rows: readonly [string, string][] = [
    ["localhost:18789", "localhost"],
    ["LOCALHOST", "localhost"],
    ["127.0.0.1:80", "127.0.0.1"],
    ["[::1]:18789", "::1"],
    ["::1", "::1"],
    ["example.org:1", "example.org"],
  ];
  for (const [given, expect] of rows) assert.equal(hostName(given), expect, given);
});

Deno.test("only IPv4 that is written as IPv6 is written anew", () => {
  const rows: readonly [string, string][] = [
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["::FFFF:192.0.2.7", "192.0.2.7"],
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:c000:207", "::ffff:c000:207"],
    ["2001:db8::ffff:192.0.2.7", "2001:db8::ffff:192.0.2.7"],
    ["", ""],
  ];
  for (const [given, expect] of rows) assert.equal(plainAddress(given), expect, given);
});

Deno.test("loopback is what the machine itself answers on, nothing that looks like it", () => {
  for (const yes of ["127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"]) {
    assert.ok(isLoopbackAddress(yes), yes);
  }
  for (
    const no of [
      "128.0.0.1",
      "10.0.0.1",
      "127.0.0.1.evil.example",
      "127.1",
      "0.0.0.0",
      "::",
      "localhost",
    ]
  ) {
    assert.ok(!isLoopbackAddress(no), no);
  }
  for (const yes of ["1.2.3.4", "fe80::1"]) assert.ok(isAddress(yes), yes);
  for (const no of ["1.2.3.256", "example.org", ""]) assert.ok(!isAddress(no), no);
});

Deno.test("an Origin may connect when it is ours, named, or loopback to loopback", () => {
  const allowedOrigins = ["https://chat.example.org"];
  const rows: readonly [string, string | undefined, boolean][] = [
    ["http://127.0.0.1:18789", "127.0.0.1:18789", true],
    ["http://localhost:5173", "127.0.0.1:18789", true],
    ["http://[::1]:5173", "localhost:18789", true],
    ["https://gw.example.org", "gw.example.org", true],
    ["https://chat.example.org", "gw.example.org", true],
    ["https://CHAT.example.org", "gw.example.org", true],
    ["https://evil.example", "gw.example.org", false],
    ["https://evil.example", "127.0.0.1:18789", false],
    ["http://localhost:5173", "gw.example.org", false],
    ["http://127.0.0.1.evil.example", "127.0.0.1:18789", false],
    ["null", "127.0.0.1:18789", false],
    ["", "127.0.0.1:18789", false],
    ["file://", "127.0.0.1:18789", false],
    ["chrome-extension://abc", "127.0.0.1:18789", false],
    ["http://user@127.0.0.1", "127.0.0.1:18789", false],
    ["http://127.0.0.1:18789/path", "127.0.0.1:18789", false],
    ["http://127.0.0.1:18789", undefined, false],
  ];
  for (const [origin, host, expect] of rows) {
    assert.equal(originAllowed(origin, { host, allowedOrigins }), expect, `${origin} to ${host}`);
  }
});

Deno.test("a Host is served when no DNS answer can have made it up", () => {
  const rows: readonly [string | undefined, boolean][] = [
    ["127.0.0.1:18789", true],
    ["localhost", true],
    ["[::1]:18789", true],
    ["192.168.1.4:18789", true],
    ["gw.example.org", true],
    ["GW.example.org:443", true],
    ["rebind.evil.example:18789", false],
    ["localhost.evil.example", false],
    ["", false],
    [undefined, false],
  ];
  for (const [host, expect] of rows) {
    assert.equal(hostAllowed(host, ["gw.example.org"]), expect, String(host));
  }
});

Deno.test("an address is in a range when its leading bits are", () => {
  const rows: readonly [string, string, boolean][] = [
    ["10.1.2.3", "10.0.0.0/8", true],
    ["11.1.2.3", "10.0.0.0/8", false],
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.4", "10.1.2.3", false],
    ["::ffff:10.1.2.3", "10.1.2.0/24", true],
    ["fd00::1", "fd00::/8", true],
    ["fe80::1", "fd00::/8", false],
    ["::1", "::1", true],
    ["::1", "0.0.0.0/0", false],
    ["1.2.3.4", "0.0.0.0/0", true],
    ["not an address", "0.0.0.0/0", false],
    ["1.2.3.4", "1.2.3.4/33", false],
    ["1.2.3.4", "1.2.3.4/x", false],
  ];
  for (const [address, range, expect] of rows) {
    assert.equal(addressInRange(address, range), expect, `${address} in ${range}`);
  }
});

Deno.test("a client on this machine dials what a program listens on", () => {
  const rows: readonly [listens: string, dials: string][] = [
    ["127.0.0.1", "127.0.0.1"],
    ["0.0.0.0", "127.0.0.1"],
    ["::", "[::1]"],
    ["[::]", "[::1]"],
    ["::1", "[::1]"],
    ["[fd00::1]", "[fd00::1]"],
    ["10.0.0.2", "10.0.0.2"],
    ["gw.example.org", "gw.example.org"],
  ];
  for (const [listens, dials] of rows) assert.equal(reachableHost(listens), dials, listens);
});
