import assert from "node:assert/strict";
import { listenError } from "../../../src/adapters/listen_error.ts";
import { ListenError } from "../../../src/ports/listener.ts";

const ROWS: readonly [error: unknown, reason: ListenError["reason"], message: RegExp][] = [
  [new Deno.errors.AddrInUse("x"), "in-use", /another program has the port; .*--port/],
  [new Deno.errors.AddrNotAvailable("x"), "not-available", /no such address; .*--bind/],
  [new Error("Invalid argument (os error 22)"), "not-available", /no such address/],
  [new Error("Address family not supported (os error 97)"), "not-available", /no such address/],
  [
    new Error("failed to lookup address information: Name or service not known"),
    "not-available",
    /no such address; .*--bind/,
  ],
  [new Error("listen EAFNOSUPPORT"), "not-available", /no such address/],
  [new Deno.errors.PermissionDenied("x"), "not-permitted", /not permitted; .*1024 or more/],
  [new Error("a strange fault (os error 221)"), "other", /: a strange fault \(os error 221\)$/],
  ["no error at all", "other", /: no error at all$/],
];

for (const [error, reason, message] of ROWS) {
  Deno.test(`what stands in the way is said: ${error}`, () => {
    const told = listenError(error, { hostname: "192.0.2.7", port: 80 });
    assert.ok(told instanceof ListenError);
    assert.equal(told.reason, reason);
    assert.match(told.message, /^cannot listen on 192\.0\.2\.7:80: /);
    assert.match(told.message, message);
  });
}

Deno.test("what to change is named as the listener's owner calls it", () => {
  const address = { hostname: "127.0.0.1", port: 80 };
  const remedy = { port: "control.port", address: "control.host" };
  for (const error of [new Deno.errors.AddrInUse("x"), new Deno.errors.PermissionDenied("x")]) {
    assert.match(listenError(error, { ...address, remedy }).message, /with control\.port\b/);
  }
  const error = new Deno.errors.AddrNotAvailable("x");
  assert.match(listenError(error, { ...address, remedy }).message, /with control\.host$/);
});
