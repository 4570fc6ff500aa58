import assert from "node:assert/strict";
import { ConnectionFailed } from "../../../src/client/client_error.ts";
import { gatewayUrl, isLoopback } from "../../../src/client/gateway_url.ts";

const GOOD: readonly (readonly [string, string, boolean])[] = [
  ["ws://127.0.0.1:18789", "ws://127.0.0.1:18789/", true],
  ["127.0.0.1:18789", "ws://127.0.0.1:18789/", true],
  ["localhost:1", "ws://localhost:1/", true],
  ["ws://[::1]:1/x", "ws://[::1]:1/x", true],
  ["ws://127.9.9.9", "ws://127.9.9.9/", true],
  ["ws://2130706433", "ws://127.0.0.1/", true],
  ["http://gate.example", "ws://gate.example/", false],
  ["https://gate.example/path", "wss://gate.example/path", false],
  ["wss://gate.example#part", "wss://gate.example/", false],
  ["ws://127.0.0.1.evil.example", "ws://127.0.0.1.evil.example/", false],
  ["ws://localhost.evil.example", "ws://localhost.evil.example/", false],
];

for (const [text, href, loopback] of GOOD) {
  Deno.test(`${text} is the address ${href}`, () => {
    const url = gatewayUrl(text);
    assert.equal(url.href, href);
    assert.equal(isLoopback(url), loopback);
  });
}

const BAD: readonly string[] = [
  "",
  "ws://",
  "ftp://gate.example",
  "file:///etc/passwd",
  "ws://user:s3cret@gate.example",
  "ws://gate.example/?token=s3cret",
  "ws://s3cret:s3cret@gate example",
  "ws://gate example/?token=s3cret",
  "ws://gate.example:99999",
];

for (const text of BAD) {
  Deno.test(`${JSON.stringify(text)} is no address, and the refusal holds no secret`, () => {
    assert.throws(() => gatewayUrl(text), (error) => {
      assert(error instanceof ConnectionFailed);
      assert.equal(error.fault, "usage");
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  });
}
