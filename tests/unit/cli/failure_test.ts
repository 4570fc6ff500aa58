import assert from "node:assert/strict";
import { CallFailed, ConnectionFailed } from "../../../src/client/client_error.ts";
import { AnswerFailed, EXIT, EXIT_MEANINGS } from "../../../src/cli/exit_code.ts";
import { toCommandFailed } from "../../../src/cli/failure.ts";
import { invalidRequest } from "../../../src/core/error.ts";
import { StoreUnavailable } from "../../../src/ports/store.ts";

function refused(code: string, message: string) {
  return new ConnectionFailed("refused", `the gateway refused: ${message}`, {
    answer: { code, message },
  });
}

function failed(code: string, message: string) {
  return new CallFailed("m", { code, message });
}

const ENDS: readonly (readonly [string, unknown, number])[] = [
  ["wrong arguments of the client", new ConnectionFailed("usage", "x"), EXIT.usage],
  ["nothing listens", new ConnectionFailed("unreachable", "x"), EXIT.unreachable],
  ["no answer", new ConnectionFailed("timeout", "x"), EXIT.unreachable],
  ["a lost connection", new ConnectionFailed("closed", "x"), EXIT.unreachable],
  ["another protocol", new ConnectionFailed("protocol", "x"), EXIT.unreachable],
  ["giving up", new ConnectionFailed("aborted", "x"), EXIT.interrupted],
  ["a bound of the client", new ConnectionFailed("overloaded", "x"), EXIT.failed],
  ["a wrong token", refused("INVALID_REQUEST", "unauthorized: gateway token mismatch"), 4],
  ["a device that is not paired", refused("NOT_PAIRED", "pairing required"), EXIT.unauthorized],
  ["a bad signature", refused("INVALID_REQUEST", "device signature invalid"), EXIT.unauthorized],
  ["another version", refused("INVALID_REQUEST", "protocol mismatch"), EXIT.unreachable],
  ["bad parameters", refused("INVALID_REQUEST", "invalid connect params: x"), EXIT.unreachable],
  ["a busy gateway", refused("UNAVAILABLE", "too many connections"), EXIT.unreachable],
  ["a missing scope", failed("INVALID_REQUEST", "missing scope: operator.admin"), 4],
  ["a wrong role", failed("INVALID_REQUEST", "unauthorized role: node"), EXIT.unauthorized],
  ["a refused call", failed("INVALID_REQUEST", "unknown method: x"), EXIT.failed],
  ["a failing call", failed("UNAVAILABLE", "no model: unauthorized"), EXIT.failed],
  ["a refusal of a service", invalidRequest("unknown requestId"), EXIT.failed],
  ["a database that does not open", new StoreUnavailable("busy"), EXIT.failed],
  ["anything else", new TypeError("boom"), EXIT.failed],
  ["even no error", "text", EXIT.failed],
];

for (const [name, thrown, code] of ENDS) {
  Deno.test(`${name} ends with ${code}`, () => {
    const end = toCommandFailed(thrown);
    assert.equal(end.code, code);
    assert.notEqual(end.message, "");
  });
}

Deno.test("the gateway's own words are kept as they were for --json, and escaped for people", () => {
  const end = toCommandFailed(failed("X\x1b", "no\x1b[2J"));
  assert(end instanceof AnswerFailed);
  assert.equal(end.message, "X\\u{1b}: no\\u{1b}[2J");
  assert.deepEqual(end.answer, { code: "X\x1b", message: "no\x1b[2J" });
});

Deno.test("text of anything thrown is escaped", () => {
  assert.equal(toCommandFailed(new Error("\x1b[2J")).message, "unexpected: Error: \\u{1b}[2J");
});

Deno.test("exit statuses are these, and each is documented", () => {
  assert.deepEqual(EXIT, {
    ok: 0,
    failed: 1,
    usage: 2,
    unreachable: 3,
    unauthorized: 4,
    configuration: 5,
    interrupted: 130,
    outputClosed: 141,
    terminated: 143,
  });
  assert.deepEqual(
    EXIT_MEANINGS.map(([code]) => code),
    Object.values(EXIT).toSorted((a, b) => a - b),
  );
});
