/** Brings bytes to a frame reader at any split and notes what it made of them. */

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import {
  type FrameLimits,
  FrameReader,
  type FrameSink,
  FrameTools,
  type FrameViolation,
} from "../../src/core/websocket_frame.ts";
import { assertSameBytes, shown } from "./byte_assertion.ts";

/** One call of the sink. */
export type FrameEvent =
  | readonly ["text", string]
  | readonly ["binary", Uint8Array]
  | readonly ["ping", Uint8Array]
  | readonly ["pong"]
  | readonly ["close", number, string]
  | readonly ["violation", number, string];

/** Wide enough for all that is not about limits. */
export const LIMITS: FrameLimits = { maxMessageBytes: 1024 * 1024, maxFragments: 1_024 };

/** The most bytes of a head that has not come whole, and of a control frame. */
const MAX_KEPT_BESIDE_MESSAGE = 13 + 125;

/** How bytes come. */
export interface Delivery {
  readonly name: string;
  /** Bytes of each piece, used round and round. */
  readonly sizes: readonly number[];
  /** The receiver pauses behind every event. */
  readonly pauses?: boolean;
  /** ASCII is read by a way of its own. */
  readonly readsAscii?: boolean;
}

/** The deliveries that every table is run with. */
export const DELIVERIES: readonly Delivery[] = [
  { name: "whole", sizes: [Infinity] },
  { name: "whole, read as ASCII", sizes: [Infinity], readsAscii: true },
  { name: "whole, with pauses", sizes: [Infinity], pauses: true },
  { name: "a byte at a time", sizes: [1] },
  { name: "in threes", sizes: [3], readsAscii: true },
  { name: "in odd pieces", sizes: [2, 5, 1, 13, 127, 3, 4_099, 11], pauses: true },
  { name: "head and payload apart", sizes: [6, Infinity] },
];

/** A sink that notes its calls and fails at one behind the end. */
export class FrameRecorder implements FrameSink {
  readonly events: FrameEvent[] = [];
  readonly #pauses: boolean;
  readonly #handedOut: { readonly given: Uint8Array; readonly then: Uint8Array }[] = [];
  blocked = false;
  ended = false;

  constructor({ pauses = false }: { readonly pauses?: boolean } = {}) {
    this.#pauses = pauses;
  }

  gotText(message: string): void {
    this.#note(["text", message]);
  }

  gotBinary(message: Uint8Array<ArrayBuffer>): void {
    const then = message.slice();
    this.#handedOut.push({ given: message, then });
    this.#note(["binary", then]);
  }

  gotPing(payload: Uint8Array): void {
    this.#note(["ping", payload.slice()]);
  }

  gotPong(): void {
    this.#note(["pong"]);
  }

  gotClose(code: number, reason: string): void {
    this.#note(["close", code, reason]);
    this.ended = true;
  }

  gotViolation({ code, reason }: FrameViolation): void {
    this.#note(["violation", code, reason]);
    this.ended = true;
  }

  /** Nobody has written to a message since it was handed out. */
  assertUntouched(): void {
    for (const { given, then } of this.#handedOut) assertSameBytes(given, then, "handed out");
  }

  #note(event: FrameEvent): void {
    assert.ok(!this.ended, `${event[0]} behind the end`);
    this.events.push(event);
    this.blocked = this.#pauses;
  }
}

/** What of a stream is wanted beside its events. */
export interface ReadOptions {
  readonly limits?: FrameLimits;
  readonly delivery?: Delivery;
}

/**
 * Reads a stream as a connection would: every piece stands in the same buffer, at another offset, and
 * is written over once it is used. Fails where the reader breaks a promise of its own.
 */
export function readStream(
  stream: Uint8Array,
  { limits = LIMITS, delivery = { name: "whole", sizes: [Infinity] } }: ReadOptions = {},
): readonly FrameEvent[] {
  const { sizes, pauses = false, readsAscii = false } = delivery;
  const recorder = new FrameRecorder({ pauses });
  const reader = new FrameReader(recorder, limits, new FrameTools(readsAscii ? latin1 : undefined));
  const longest = Math.min(Math.max(...sizes), stream.length);
  const buffer = new Uint8Array(longest + 4);
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const length = Math.min(sizes[turn % sizes.length] ?? 1, stream.length - at);
    const piece = buffer.subarray(turn & 3, (turn & 3) + length);
    piece.set(stream.subarray(at, at + length));
    pushAll(reader, recorder, piece);
    piece.fill(0xee);
    at += length;
    assert.ok(reader.kept <= limits.maxMessageBytes + MAX_KEPT_BESIDE_MESSAGE);
    if (recorder.ended) assert.equal(reader.kept, 0);
  }
  recorder.assertUntouched();
  return recorder.events;
}

/** A stream of a client and what must be made of it. */
export interface FrameRow {
  readonly name: string;
  readonly stream: Uint8Array;
  readonly events: readonly FrameEvent[];
  readonly limits?: FrameLimits;
}

/** A test with a step for each row: it gives its events however it comes. */
export function testFrameRows(name: string, rows: readonly FrameRow[]): void {
  Deno.test(name, async (context) => {
    for (const { name, stream, events, limits } of rows) {
      await context.step(name, () => {
        for (const delivery of DELIVERIES) {
          assertEvents(readStream(stream, { limits, delivery }), events, delivery.name);
        }
      });
    }
  });
}

/** The same events in the same order; long ones are not told whole. */
export function assertEvents(
  actual: readonly FrameEvent[],
  expected: readonly FrameEvent[],
  message: string = "events",
): void {
  if (isDeepStrictEqual(actual, expected)) return;
  const at = expected.findIndex((event, index) => !isDeepStrictEqual(event, actual[index]));
  const place = at < 0 ? expected.length : at;
  assert.fail(
    `${message}: event ${place} is ${told(actual[place])} instead of ${told(expected[place])}`,
  );
}

function told(event: FrameEvent | undefined): string {
  if (event === undefined) return "none";
  return event.map((part) => part instanceof Uint8Array ? shown(part) : brief(part)).join(" ");
}

function brief(value: string | number): string {
  const text = JSON.stringify(value);
  return text.length < 60 ? text : `${text.slice(0, 60)}… (of ${text.length} characters)`;
}

/** What a reader says of a broken protocol. */
export function broken(reason: string): FrameEvent {
  return ["violation", 1002, reason];
}

/** The text of ASCII bytes; fails for others, which the reader must not hand over. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  assert.ok(bytes.subarray(start, end).every((byte) => byte < 0x80));
  let text = "";
  for (let at = start; at < end; at += 4_096) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(at + 4_096, end)));
  }
  return text;
}

/** Pushes a piece to its end; behind a pause the rest comes again in a buffer of its own. */
function pushAll(
  reader: FrameReader,
  recorder: FrameRecorder,
  piece: Uint8Array<ArrayBuffer>,
): void {
  for (let rest = piece;;) {
    if (recorder.blocked && !recorder.ended) {
      assert.equal(reader.push(rest), 0, "nothing is read while the sink is blocked");
      recorder.blocked = false;
    }
    const taken = reader.push(rest);
    assert.ok(taken >= 0 && taken <= rest.length);
    if (taken === rest.length) return;
    assert.ok(recorder.blocked, "only a blocked sink leaves bytes behind");
    rest = rest.slice(taken);
  }
}
