/** Reading and writing frames, beside bare JSON. */

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
    codec: () => flattened(encodeFrame(ANSWER, 0)),
    bare: () =>
      flattened(JSON.stringify({ type: "res", id: ID, ok: true, payload: HEALTH_PAYLOAD })),
  },
  {
    name: "encode an event for one more client",
    codec: () => flattened(encodeFrame(EVENT, 1_234)),
    bare: () =>
      flattened(
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

/** The text in one piece, as a socket needs it: joining strings only notes that they are joined. */
function flattened(text: string): string {
  return text.charCodeAt(text.length - 1) === 0x7d ? text : "";
}
