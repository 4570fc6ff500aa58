import assert from "node:assert/strict";
import {
  connectionFault,
  type FaultSource,
  httpFault,
  maskSecrets,
  streamFault,
} from "../../../src/adapters/provider_fault.ts";

const SOURCE: FaultSource = {
  provider: "acme",
  model: "acme/large",
  host: "127.0.0.1:8080",
  file: "own.yaml",
  secrets: ["hunter2hunter2", "hunter2"],
};

function test(name: string, fn: () => void): void {
  Deno.test(name, fn);
}

test("each status has its advice and says whether to come back", () => {
  const table: readonly [number, boolean, RegExp][] = [
    [307, false, /redirects are not followed/],
    [400, false, /models\.providers\.acme\.models/],
    [401, false, /check models\.providers\.acme\.apiKey in own\.yaml/],
    [402, false, /balance/],
    [403, false, /may use this model/],
    [404, false, /models\.providers\.acme\.baseUrl/],
    [408, true, /send the message again/],
    [409, true, /in a moment/],
    [413, false, /shorten the conversation/],
    [418, false, /models\.providers\.acme\.models/],
    [429, true, /wait a while/],
    [500, true, /later/],
    [503, true, /later/],
    [529, true, /later/],
  ];
  for (const [status, retryable, advice] of table) {
    const { error, repeat } = httpFault(SOURCE, { status, body: "" });
    assert.equal(error.message.startsWith(`acme/large answered ${status}: `), true, error.message);
    assert.match(error.message, advice);
    assert.match(error.message, /\.$/);
    assert.equal(error.status, status);
    assert.equal(error.retryable, retryable);
    assert.equal(repeat, retryable);
  }
});

test("the provider's own words are found in every shape of body", () => {
  const table: readonly [string, string][] = [
    ['{"error":{"message":"words"}}', '("words")'],
    ['[{"error":{"message":"words"}}]', '("words")'],
    ['{"error":"words"}', '("words")'],
    ['{"message":"words"}', '("words")'],
    ['{"detail":"words"}', '("words")'],
    ["words", '("words")'],
    ['{"other":1}', '("{\\"other\\":1}")'],
    ['{"error":', '("{\\"error\\":")'],
    ["<html>words</html>", ""],
    ["", ""],
    ["  ", ""],
    [
      '{"error":{"message":"two\\nlines \\u001b[31m\\u202e"}}',
      '("two\\u{a}lines \\u{1b}[31m\\u{202e}")',
    ],
  ];
  for (const [body, words] of table) {
    const { message } = httpFault(SOURCE, { status: 400, body }).error;
    assert.equal(message.split(": check")[0], `acme/large answered 400 ${words}`.trim(), body);
  }
});

test("the provider's words are cut, and masked before they are cut", () => {
  const body = `${"x".repeat(295)}hunter2hunter2`;
  const { message } = httpFault(SOURCE, { status: 500, body }).error;
  assert.doesNotMatch(message, /hun/);
  assert.ok(message.length < 450);
  const long = httpFault(SOURCE, { status: 500, body: "y".repeat(10_000) }).error.message;
  assert.equal(long.match(/y+/)?.[0].length, 300);
});

test("secrets and what looks like one are masked", () => {
  const table: readonly [string, string][] = [
    ["key hunter2hunter2 and hunter2", "key *** and ***"],
    ["Incorrect key: sk-proj-ab12****wxyz.", "Incorrect key: ***"],
    ["use gsk_0123456789 or hf_0123456789", "use *** or ***"],
    ["Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"],
    ["at https://joe:pass@host/v1", "at https://***@host/v1"],
    ["AIzaSyA0123456789", "***"],
    ["the model 'task-1' is not known", "the model 'task-1' is not known"],
  ];
  for (const [text, expected] of table) assert.equal(maskSecrets(text, SOURCE.secrets), expected);
});

test("a failed connection is named by host alone", () => {
  const table: readonly [string, RegExp][] = [
    ["tcp connect error: Connection refused (os error 111)", /refused the connection at "127/],
    ["dns error: failed to lookup address information", /host name that does not resolve/],
    ["invalid peer certificate: UnknownIssuer", /failed the TLS handshake/],
    ["connection closed before message completed", /closed the connection without an answer/],
    ["something new", /cannot be reached at "127\.0\.0\.1:8080"/],
  ];
  for (const [detail, expected] of table) {
    const thrown = new TypeError("fetch failed", {
      cause: new Error(`error sending request for url (http://joe:hunter2@h/p): ${detail}`),
    });
    const { error, repeat } = connectionFault(SOURCE, thrown);
    assert.match(error.message, expected);
    assert.doesNotMatch(error.message, /joe|hunter2/);
    assert.ok(error.retryable && repeat);
  }
});

test("what a stream reports is told whatever its shape", () => {
  const table: readonly [unknown, RegExp][] = [
    [{ message: "busy", statusCode: 529 }, /^acme\/large answered 529 \("busy"\)/],
    [{ message: "no", code: "404" }, /^acme\/large answered 404 \("no"\)/],
    [{ message: "odd", code: "weird" }, /^acme\/large failed while it answered \("odd"\)/],
    ["plain hunter2", /^acme\/large failed while it answered \("plain \*\*\*"\)/],
    [undefined, /^acme\/large failed while it answered: /],
    [new Error("internal"), /cannot be read/],
    [new TypeError("odd hunter2"), /failed while it answered \("odd \*\*\*"\)/],
  ];
  for (const [thrown, expected] of table) {
    assert.match(streamFault(SOURCE, thrown).error.message, expected);
  }
});
