import assert from "node:assert/strict";
import {
  addressInRange,
  hostAllowed,
  hostName,
  isAddress,
  isLoopbackAddress,
  originAllowed,
} from "../../../src/core/host.ts";
import { cutToBytes, escapeText, quote } from "../../../src/core/quote.ts";

Deno.test("foreign text becomes one visible line", () => {
  const rows: readonly [string, string][] = [
    ["plain", "plain"],
    ["a\nb", "a\\u{a}b"],
    ["\u001b[31m", "\\u{1b}[31m"],
    ["\u202eevil", "\\u{202e}evil"],
    ["zero\u200bwidth", "zero\\u{200b}width"],
    ["\ud800", "\\u{d800}"],
    ["größe 😀", "größe 😀"],
  ];
  for (const [given, expect] of rows) assert.equal(escapeText(given), expect);
  assert.equal(escapeText("x".repeat(300)).length, 257);
  assert.equal(escapeText("\u0000".repeat(256)).length, 257);
  assert.equal(quote('say "hi"'), '"say \\"hi\\""');
});

Deno.test("text is cut to bytes between characters", () => {
  assert.equal(cutToBytes("abc", 2), "ab");
  assert.equal(cutToBytes("äöü", 3), "ä");
  assert.equal(cutToBytes("😀😀", 7), "😀");
  assert.equal(cutToBytes("abc", 3), "abc");
});

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
