/** A second reader of client frames, as plain as the standard's own words, to hold the fast one against. */

import type { FrameLimits } from "../../src/core/websocket_frame.ts";
import type { FrameEvent } from "./frame_recorder.ts";

type Verdict = 1002 | 1007 | 1009;

/** Ends the stream with a violation. */
class Violation extends Error {
  readonly code: Verdict;

  constructor(code: Verdict) {
    super(String(code));
    this.code = code;
  }
}

interface Head {
  readonly opcode: number;
  readonly final: boolean;
  readonly length: bigint;
  readonly key: Uint8Array;
  /** Where the payload begins. */
  readonly start: number;
}

/** What a stream must be read as; violations carry their code and no reason, as that is not the standard's. */
export function referenceEvents(stream: Uint8Array, limits: FrameLimits): readonly FrameEvent[] {
  const events: FrameEvent[] = [];
  try {
    for (const event of read(stream, limits)) {
      events.push(event);
      if (event[0] === "close") break;
    }
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    events.push(["violation", error.code, ""]);
  }
  return events;
}

/** Events without what only this package says: the reasons of violations. */
export function withoutReasons(events: readonly FrameEvent[]): readonly FrameEvent[] {
  return events.map((event) => event[0] === "violation" ? ["violation", event[1], ""] : event);
}

function* read(stream: Uint8Array, limits: FrameLimits): Generator<FrameEvent> {
  let message: { readonly text: boolean; readonly bytes: number[]; frames: number } | undefined;
  for (let at = 0;;) {
    const head = readHead(stream, at, message !== undefined);
    if (head === undefined) return;
    const { opcode, final, length, key, start } = head;
    const control = opcode >= 8;
    if (!control) {
      if (BigInt(message?.bytes.length ?? 0) + length > BigInt(limits.maxMessageBytes)) {
        throw new Violation(1009);
      }
      if (message !== undefined && message.frames === limits.maxFragments) {
        throw new Violation(1009);
      }
    }
    // What the length shows to be wrong does not wait for the key.
    if (start > stream.length) return;
    if (!control) message ??= { text: opcode === 1, bytes: [], frames: 0 };
    const end = Math.min(start + Number(length), stream.length);
    const payload = [...stream.subarray(start, end)].map((byte, index) => byte ^ key[index % 4]!);
    const whole = payload.length === Number(length);
    if (control) {
      if (!whole) return;
      yield controlEvent(opcode, new Uint8Array(payload));
    } else if (message !== undefined) {
      message.bytes.push(...payload);
      message.frames++;
      const bytes = new Uint8Array(message.bytes);
      if (message.text) textOf(bytes, { whole: whole && final });
      if (!whole) return;
      if (final) {
        yield message.text ? ["text", textOf(bytes, { whole: true })] : ["binary", bytes];
        message = undefined;
      }
    }
    at = end;
  }
}

function readHead(stream: Uint8Array, at: number, inMessage: boolean): Head | undefined {
  const [first, second] = stream.subarray(at, at + 2);
  if (first === undefined || second === undefined) return undefined;
  const opcode = first % 16;
  const final = first >= 128;
  const short = second % 128;
  const known = [0, 1, 2, 8, 9, 10].includes(opcode);
  const wrongControl = opcode >= 8 && (!final || short > 125);
  const wrongPlace = opcode === 0 ? !inMessage : opcode < 8 && inMessage;
  if ((first >> 4) % 8 !== 0 || second < 128 || !known || wrongControl || wrongPlace) {
    throw new Violation(1002);
  }
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = at + 2 + lengthBytes + 4;
  if (start - 4 > stream.length) return undefined;
  let length = lengthBytes === 0 ? BigInt(short) : 0n;
  for (const byte of stream.subarray(at + 2, at + 2 + lengthBytes)) {
    length = length * 256n + BigInt(byte);
  }
  if ((lengthBytes === 2 && length < 126n) || (lengthBytes === 8 && length < 65_536n)) {
    throw new Violation(1002);
  }
  return { opcode, final, length, key: stream.subarray(start - 4, start), start };
}

function controlEvent(opcode: number, payload: Uint8Array): FrameEvent {
  if (opcode === 9) return ["ping", payload];
  if (opcode === 10) return ["pong"];
  if (payload.length === 0) return ["close", 1005, ""];
  if (payload.length === 1) throw new Violation(1002);
  const code = payload[0]! * 256 + payload[1]!;
  const registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
  if (!registered.includes(code) && (code < 3000 || code > 4999)) throw new Violation(1002);
  return ["close", code, textOf(payload.subarray(2), { whole: true })];
}

/** Bytes as text; where they are not whole, only what cannot be mended by more is wrong. */
function textOf(bytes: Uint8Array, { whole }: { readonly whole: boolean }): string {
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return decoder.decode(bytes, { stream: !whole });
  } catch {
    throw new Violation(1007);
  }
}
