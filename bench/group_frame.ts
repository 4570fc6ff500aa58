/** Reading and writing frames, beside bare JSON. */

import { BufferPool } from "../src/core/buffer_pool.ts";
import { FrameWriter } from "../src/core/frame_writer.ts";
import type { Envelope } from "../src/core/shared_text.ts";
import type { ServerFrame } from "../src/protocols/openclaw/codec.ts";
import { decodeFrame, encodeFrame } from "../src/protocols/openclaw/codec.ts";
import { eventFrame } from "../src/protocols/openclaw/events.ts";
import { figureOf, type Group } from "./figure.ts";
import { HEALTH_PAYLOAD, LARGE_REQUEST, SMALL_REQUEST, STREAM_PAYLOAD } from "./sample_frames.ts";
import { nanosPerOperation } from "./stopwatch.ts";

const ID = "c0ffee-17";
const ANSWER: ServerFrame = { kind: "answer", id: ID, payload: HEALTH_PAYLOAD };
const EVENT = eventFrame("agent", STREAM_PAYLOAD);

/** What is measured: the codec's work, and what JSON alone does with the same. */
const PAIRS: readonly {
  readonly name: string;
  readonly codec: () => unknown;
  readonly bare: () => unknown;
}[] = [
  {
    name: "decode a small call",
    codec: () => decodeFrame(SMALL_REQUEST),
    bare: () => JSON.parse(SMALL_REQUEST),
  },
  {
    name: "decode a message of 2,000 characters",
    codec: () => decodeFrame(LARGE_REQUEST),
    bare: () => JSON.parse(LARGE_REQUEST),
  },
  {
    name: "encode the answer to health",
    codec: () => written(encodeFrame(ANSWER, 0)),
    bare: () => written(JSON.stringify({ type: "res", id: ID, ok: true, payload: HEALTH_PAYLOAD })),
  },
  {
    name: "encode an event for one more client",
    codec: () => written(encodeFrame(EVENT, 1_234)),
    bare: () =>
      written(
        JSON.stringify({ type: "event", event: "agent", payload: STREAM_PAYLOAD, seq: 1_234 }),
      ),
  },
];

/** The codec of the OpenClaw wire. */
export const frameGroup: Group = {
  name: "frame",
  summary: "reading and writing frames in this process; baseline: JSON.parse and JSON.stringify",
  run({ quick }, found) {
    const rounds = quick ? 5 : 30;
    for (const { name, codec, bare } of PAIRS) {
      const baselines = nanosPerOperation(bare, rounds);
      found(figureOf(name, { unit: "ns", values: nanosPerOperation(codec, rounds), baselines }));
    }
    return Promise.resolve();
  },
};

const writer = new FrameWriter(new BufferPool());

/** The message as bytes of a WebSocket frame, as a socket needs it; the number of bytes. */
function written(message: string | Envelope): number {
  writer.text(message);
  const segment = writer.take();
  if (segment === undefined) return 0;
  writer.release(segment);
  return segment.end - segment.start;
}
