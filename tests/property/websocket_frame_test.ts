import assert from "node:assert/strict";
import fc from "fast-check";
import { BufferPool } from "../../src/core/buffer_pool.ts";
import { FrameWriter } from "../../src/core/frame_writer.ts";
import { Envelope, SharedText } from "../../src/core/shared_text.ts";
import { type FrameLimits, OPCODE } from "../../src/core/websocket_frame.ts";
import { assertSameBytes } from "../support/byte_assertion.ts";
import {
  assertEvents,
  type Delivery,
  type FrameEvent,
  readStream,
} from "../support/frame_recorder.ts";
import { referenceEvents, withoutReasons } from "../support/frame_reference.ts";
import {
  bytesOf,
  clientClose,
  clientFrame,
  fragments,
  type FrameOptions,
  joined,
  serverFrames,
} from "../support/websocket_frames.ts";

const RUNS = 1_500;

/** Small, so that what is generated meets them. */
const LIMITS: FrameLimits = { maxMessageBytes: 600, maxFragments: 4 };

/** UTF-16 units in any order, surrogates among them, and plain words. */
const anyText = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.string({ unit: "grapheme", maxLength: 200 }),
  fc.array(
    fc.oneof(
      fc.integer({ min: 0, max: 0xffff }),
      fc.constantFrom(0xd800, 0xdbff, 0xdc00, 0xdfff, 0x61),
    ),
    { maxLength: 100 },
  )
    .map((units) => String.fromCharCode(...units)),
  // Round the sizes where heads and buffers grow.
  fc.tuple(
    fc.constantFrom("a", "\u00e9", "\u20ac", "\u{1f600}"),
    fc.constantFrom(40, 62, 125, 126, 500, 2_040, 8_190, 16_384, 32_760, 65_535),
    fc.nat(4),
  ).map(([character, count, more]) => character.repeat(count) + "z".repeat(more)),
);

/** No surrogate stands alone, so that texts are the same bytes in pieces as joined. */
const wholeText = anyText.map((text) => text.toWellFormed());

const anyBytes = fc.uint8Array({ maxLength: 300 });

const delivery: fc.Arbitrary<Delivery> = fc.record({
  name: fc.constant("random"),
  sizes: fc.array(
    fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 2_000 })),
    { minLength: 1, maxLength: 8 },
  ),
  pauses: fc.boolean(),
  readsAscii: fc.boolean(),
});

const mask = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 0, max: 255 })));

// Writing.

type Step =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "envelope"; readonly pieces: readonly [string, string, string] }
  | { readonly kind: "frame"; readonly opcode: number; readonly payload: Uint8Array }
  | { readonly kind: "take" }
  | { readonly kind: "release" }
  | { readonly kind: "clear" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("text" as const), text: anyText }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("envelope" as const),
      pieces: fc.tuple(wholeText, wholeText, wholeText),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("frame" as const),
      opcode: fc.constantFrom(OPCODE.binary, OPCODE.ping, OPCODE.pong, OPCODE.close),
      payload: fc.oneof(anyBytes, fc.nat(70_000).map((size) => new Uint8Array(size).fill(7))),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("take" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("release" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const) }) },
);

Deno.test("what is written is read back, whatever is added, taken, released and forgotten between", () => {
  const pool = new BufferPool();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const writer = new FrameWriter(pool);
      // Since the last time that all was forgotten.
      let written: { readonly opcode: number; readonly payload: Uint8Array }[] = [];
      let taken: Uint8Array[] = [];
      const held: (() => void)[] = [];
      const take = (): boolean => {
        const before = writer.length;
        const segment = writer.take();
        if (segment === undefined) {
          assert.equal(before, 0);
          return false;
        }
        const copy = segment.buffer.slice(segment.start, segment.end);
        assert.equal(writer.length, before - copy.length);
        taken.push(copy);
        held.push(() => {
          const now = segment.buffer.subarray(segment.start, segment.end);
          assertSameBytes(now, copy, "on its way");
          writer.release(segment);
        });
        return true;
      };
      for (const next of steps) {
        const before = writer.length;
        if (next.kind === "take") take();
        else if (next.kind === "release") held.shift()?.();
        else if (next.kind === "clear") {
          writer.clear();
          assert.equal(writer.length, 0);
          written = [];
          taken = [];
        } else {
          const { opcode, payload } = added(writer, next);
          written.push({ opcode, payload });
          assert.ok(writer.length >= before + payload.length + 2);
        }
      }
      while (take());
      const frames = serverFrames(joined(...taken));
      assert.equal(frames.length, written.length);
      for (const [index, { opcode, payload }] of frames.entries()) {
        assert.equal(opcode, written[index]!.opcode);
        assertSameBytes(payload, written[index]!.payload);
      }
      for (const release of held) release();
    }),
    { numRuns: RUNS / 3 },
  );
});

function added(
  writer: FrameWriter,
  step: Exclude<Step, { kind: "take" | "release" | "clear" }>,
): { readonly opcode: number; readonly payload: Uint8Array } {
  if (step.kind === "frame") {
    writer.frame(step.opcode, step.payload);
    return step;
  }
  if (step.kind === "text") {
    writer.text(step.text);
    return { opcode: OPCODE.text, payload: bytesOf(step.text) };
  }
  const [before, shared, after] = step.pieces;
  writer.text(new Envelope(before, { shared: new SharedText(() => shared), after }));
  return { opcode: OPCODE.text, payload: bytesOf(before + shared + after) };
}

// Reading.

/** A message and what must be made of it, with control frames between its fragments. */
const message = fc.record({
  payload: fc.oneof(
    wholeText.filter((text) => text.length < 2_000),
    anyBytes,
  ),
  cuts: fc.array(fc.nat(), { maxLength: 4 }),
  ping: fc.option(fc.uint8Array({ maxLength: 125 }), { nil: undefined }),
  mask,
}).map(({ payload, cuts, ping, mask }): readonly [Uint8Array, readonly FrameEvent[]] => {
  const text = typeof payload === "string";
  const bytes = text ? bytesOf(payload) : new Uint8Array(payload);
  const event: FrameEvent = text ? ["text", payload] : ["binary", bytes];
  const opcode = text ? OPCODE.text : OPCODE.binary;
  if (cuts.length === 0) return [clientFrame(opcode, bytes, { mask }), [event]];
  const places = cuts.map((cut) => cut % (bytes.length + 1)).toSorted((one, two) => one - two);
  const pieces = [...places, bytes.length].map((end, index) =>
    bytes.subarray(places[index - 1] ?? 0, end)
  );
  const between = ping === undefined ? undefined : clientFrame(OPCODE.ping, ping, { mask });
  const pings = ping === undefined
    ? []
    : cuts.map((): FrameEvent => ["ping", new Uint8Array(ping)]);
  return [fragments(opcode, pieces, { between }), [...pings, event]];
});

Deno.test("what a client builds is read, at any split", () => {
  const ending = fc.option(
    fc.tuple(fc.integer({ min: 3000, max: 4999 }), fc.string({ maxLength: 100 })),
    { nil: undefined },
  );
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 6 }),
      ending,
      delivery,
      (messages, end, delivery) => {
        const events = messages.flatMap(([, events]) => events);
        const frames = messages.map(([frames]) => frames);
        const stream = joined(...frames, end === undefined ? "" : clientClose(...end));
        assertEvents(
          readStream(stream, { delivery }),
          end === undefined ? events : [...events, ["close", ...end]],
        );
      },
    ),
    { numRuns: RUNS },
  );
});

/** Frames that mostly are right, each for itself or together. */
const nearFrame = fc.record({
  opcode: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(0, 0, 0, 1, 1, 2, 8, 9, 10) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 15 }) },
  ),
  payload: fc.oneof(anyBytes, anyText.map((text) => bytesOf(text.slice(0, 150)))),
  options: fc.record({
    final: fc.boolean(),
    reserved: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, fc.nat(7)),
    mask: fc.oneof({ weight: 20, arbitrary: mask }, fc.constant(undefined)),
  }),
  announced: fc.option(
    fc.oneof(fc.nat(700), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    { nil: undefined, freq: 20 },
  ),
}).map(({ opcode, payload, options, announced }) => {
  const chosen: FrameOptions = announced === undefined ? options : { ...options, announced };
  return clientFrame(opcode, payload, chosen);
});

const nearStream = fc.array(nearFrame, { maxLength: 8 }).map((frames) => joined(...frames));

/** Reads a stream in two ways and holds both against the plain reader. */
function agrees(stream: Uint8Array, delivery: Delivery): void {
  const expected = referenceEvents(stream, LIMITS);
  const whole = readStream(stream, { limits: LIMITS });
  assertEvents(withoutReasons(whole), expected);
  assertEvents(readStream(stream, { limits: LIMITS, delivery }), whole);
}

Deno.test("random bytes never throw, and are read as the standard has it, at any split", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), delivery, agrees),
    { numRuns: RUNS },
  );
});

Deno.test("frames in any order are read as the standard has it, at any split", () => {
  fc.assert(fc.property(nearStream, delivery, agrees), { numRuns: RUNS });
});

Deno.test("right streams with wrong bytes are read as the standard has it, at any split", () => {
  const change = fc.record({
    at: fc.nat(),
    // Heads and first bytes of texts are where a change counts most.
    byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x81, 0x80, 0x01, 0x88, 0xfe)),
    cut: fc.nat(12),
  });
  const changes = fc.array(change, { minLength: 1, maxLength: 3 });
  const streams = fc.array(message, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(streams, changes, delivery, (messages, changes, delivery) => {
      let stream = joined(...messages.map(([frames]) => frames));
      for (const { at, byte, cut } of changes) {
        const place = at % stream.length;
        // Replaces one byte, puts one in, or takes some out.
        const rest = stream.subarray(place + (cut > 9 ? cut - 9 : cut > 4 ? 1 : 0));
        stream = joined(stream.subarray(0, place), Uint8Array.of(byte), rest);
      }
      agrees(stream, delivery);
    }),
    { numRuns: RUNS },
  );
});
