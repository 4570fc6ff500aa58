import assert from "node:assert/strict";
import { AnswerPrinter, messageText } from "../../../src/cli/answer_printer.ts";

function delta(text: string) {
  return { state: "delta", message: { role: "assistant", content: [{ type: "text", text }] } };
}

function final(text: string) {
  return { ...delta(text), state: "final" };
}

function print(payloads: readonly Record<string, unknown>[]) {
  let printed = "";
  const printer = new AnswerPrinter((text) => printed += text);
  const ends = payloads.map((payload) => printer.take(payload));
  return { printed, end: ends.at(-1) };
}

const STREAMS: readonly (readonly [string, readonly Record<string, unknown>[], string])[] = [
  ["a growing text is printed once", [delta("He"), delta("Hello"), final("Hello!")], "Hello!\n"],
  ["a final text alone is printed", [final("Hello")], "Hello\n"],
  ["a repeated text prints nothing more", [delta("A"), delta("A"), final("A")], "A\n"],
  ["a trimmed final text adds nothing", [delta("A\n\n"), final("A")], "A\n\n"],
  ["a final without a message ends the line", [delta("A"), { state: "final" }], "A\n"],
  ["an answer that begins anew is printed anew", [delta("A b"), final("C")], "A b\nC\n"],
  ["half a character waits for its other half", [delta("A\ud83d"), final("A😀")], "A😀\n"],
  ["half a line end waits for its other half", [delta("A\r"), final("A\r\nB")], "A\nB\n"],
  ["lines and tabs stay", [final("a\n\tb")], "a\n\tb\n"],
  [
    "text that would steer the terminal is escaped",
    [delta("\x1b[2J"), final("\x1b[2J\x07\u202e\x9b1m\rx")],
    "\\u{1b}[2J\\u{7}\\u{202e}\\u{9b}1m\\u{d}x\n",
  ],
  ["an emoji of several parts stays whole", [final("👩‍🔬")], "👩‍🔬\n"],
  ["an unknown state is passed over", [{ state: "later" }, final("A")], "A\n"],
];

for (const [name, payloads, expected] of STREAMS) {
  Deno.test(name, () => {
    const { printed, end } = print(payloads);
    assert.equal(printed, expected);
    assert.deepEqual(end, { state: "final" });
  });
}

Deno.test("an abort keeps what was said and tells the reason, escaped", () => {
  const { printed, end } = print([delta("Half"), { state: "aborted", stopReason: "rpc\x1b" }]);
  assert.equal(printed, "Half\n");
  assert.deepEqual(end, { state: "aborted", reason: "rpc\\u{1b}" });
});

Deno.test("an error tells its message, escaped, or that it has none", () => {
  assert.deepEqual(print([{ state: "error", errorMessage: "no\x07 model" }]).end, {
    state: "error",
    message: "no\\u{7} model",
  });
  assert.deepEqual(print([{ state: "error" }]).end, { state: "error", message: "the run failed" });
});

const MESSAGES: readonly (readonly [unknown, string])[] = [
  [undefined, ""],
  [5, ""],
  ["plain", "plain"],
  [{ content: "plain" }, "plain"],
  [{ text: "plain" }, "plain"],
  [
    { content: [{ type: "text", text: "a" }, { type: "image" }, null, { type: "text", text: 1 }] },
    "a",
  ],
];

for (const [message, expected] of MESSAGES) {
  Deno.test(`the text of ${JSON.stringify(message)} is ${JSON.stringify(expected)}`, () => {
    assert.equal(messageText(message), expected);
  });
}
