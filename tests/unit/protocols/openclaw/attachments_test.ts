import assert from "node:assert/strict";
import { GatewayError } from "../../../../src/core/error.ts";
import {
  MAX_ATTACHMENT_BYTES,
  MAX_ATTACHMENTS,
  toImages,
} from "../../../../src/protocols/openclaw/attachments.ts";

const PNG = "iVBORw0KGgoAAAAN";

const ACCEPTED: readonly [given: string, attachment: unknown, mimeType: string, base64: string][] =
  [
    ["a declared type", { mimeType: "image/webp", content: PNG }, "image/webp", PNG],
    ["a type with parameters", { mimeType: "IMAGE/PNG; q=1", content: PNG }, "image/png", PNG],
    ["a data URL", { content: `data:image/gif;base64,${PNG}` }, "image/gif", PNG],
    ["no type but a known beginning", { content: PNG }, "image/png", PNG],
    ["a JPEG without a type", { content: "/9j/4AAQSkZJRgAB" }, "image/jpeg", "/9j/4AAQSkZJRgAB"],
    ["members that do not matter", { content: PNG, approved: true, type: "x" }, "image/png", PNG],
    [
      "the largest size",
      { mimeType: "image/png", content: `${"A".repeat(6_666_664)}AAA=` },
      "image/png",
      `${"A".repeat(6_666_664)}AAA=`,
    ],
  ];

for (const [given, attachment, mimeType, base64] of ACCEPTED) {
  Deno.test(`attachments: ${given} is accepted`, () => {
    assert.deepEqual(toImages([attachment]), [{ mimeType, base64 }]);
  });
}

const REFUSED: readonly [given: string, attachment: unknown, message: RegExp][] = [
  ["a number", 7, /^attachment 1: content must be base64 text$/],
  ["null", null, /content must be base64 text/],
  ["no content", { mimeType: "image/png" }, /content must be base64 text/],
  ["bytes in a list", { mimeType: "image/png", content: [1, 2] }, /content must be base64 text/],
  [
    "a text file",
    { mimeType: "text/html", fileName: "a.html", content: PNG },
    /^attachment "a.html": type "text\/html" is not accepted; only images are$/,
  ],
  ["a type of many lines", { mimeType: "image/png\nx", content: PNG }, /is not accepted/],
  ["no type", { content: "AAAA" }, /mimeType is missing/],
  ["text", { mimeType: "image/png", content: "not base64!!" }, /not valid base64/],
  ["base64 that is cut", { mimeType: "image/png", content: PNG.slice(0, -1) }, /not valid base64/],
  ["padding in the middle", { mimeType: "image/png", content: "AA==AAAA" }, /not valid base64/],
  ["a URL", { mimeType: "image/png", content: "http://169.254.169.254/" }, /not valid base64/],
  [
    "a data URL of text",
    { mimeType: "image/png", content: "data:text/plain,hello" },
    /not valid base64/,
  ],
  [
    "one byte too much",
    { mimeType: "image/png", content: "A".repeat(6_666_668) },
    /has 5000001 bytes; at most 5000000 are accepted/,
  ],
];

for (const [given, attachment, message] of REFUSED) {
  Deno.test(`attachments: ${given} is refused`, () => {
    assert.throws(() => toImages([attachment]), (error) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(error.code, "INVALID_REQUEST");
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("attachments: as many as allowed, no more", () => {
  const one = { content: PNG };
  assert.deepEqual(toImages(undefined), []);
  assert.equal(toImages(Array(MAX_ATTACHMENTS).fill(one)).length, MAX_ATTACHMENTS);
  assert.throws(
    () => toImages(Array(MAX_ATTACHMENTS + 1).fill(one)),
    /^GatewayError: 9 attachments are too many; at most 8 are accepted$/,
  );
  assert.equal(MAX_ATTACHMENT_BYTES, 5_000_000);
});
