import assert from "node:assert/strict";
import { blocksOf } from "../../../../src/protocols/chat/blocks.ts";

const TABLE: readonly [text: string, limit: number, blocks: readonly string[]][] = [
  ["", 5, [""]],
  ["hello", 5, ["hello"]],
  ["hello!", 5, ["hello", "!"]],
  ["one\ntwo\nthree", 8, ["one\ntwo", "three"]],
  ["one\ntwo", 3, ["one", "two"]],
  ["abcdef\n", 6, ["abcdef"]],
  ["\nabcdef", 4, ["\nabc", "def"]],
  ["ab😀cd", 3, ["ab", "😀c", "d"]],
  ["😀", 1, ["\ud83d", "\ude00"]],
];

for (const [text, limit, blocks] of TABLE) {
  Deno.test(`blocks of at most ${limit}: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(blocksOf(text, limit), blocks);
  });
}
