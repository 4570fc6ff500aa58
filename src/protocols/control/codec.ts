/** Frames of the control channel: line to frame, frame to line. */

import type { GatewayError } from "../../core/error.ts";
import { isJsonObject, parseJson } from "../../core/json.ts";
import { ANSWER_DELIVERY, type Delivery } from "../../core/outbox.ts";
import { Envelope, SharedText } from "../../core/shared_text.ts";

/** What a request is known by; a number is answered as that number, see {@linkcode isKept}. */
export type RequestId = string | number;

/** What a line from a client turned out to be. */
export type ClientFrame =
  | {
    readonly kind: "request";
    readonly id: RequestId;
    readonly method: string;
    readonly params: unknown;
  }
  /** No request; `message` is the answer. */
  | { readonly kind: "malformed"; readonly id: RequestId; readonly message: string };

/** What is sent to a client. */
export type ServerFrame =
  | { readonly kind: "answer"; readonly id: RequestId; readonly payload: unknown }
  | {
    readonly kind: "refusal";
    readonly id: RequestId;
    readonly error: Pick<GatewayError, "message">;
  }
  | EventFrame;

/** An event as it goes out; its line is made once, however many connections get it. */
export interface EventFrame extends Delivery {
  readonly kind: "event";
  readonly event: string;
  readonly line: SharedText;
}

/** The id of the answer to a line that has none. Source: the reference. */
export const NO_ID = "";

/** Reads one line; bytes are one that is not UTF-8. Never throws. */
export function decodeFrame(line: string | Uint8Array): ClientFrame {
  if (typeof line !== "string") return malformed("parse error: the line is not UTF-8");
  const parsed = parseJson(line);
  if (!parsed.ok) {
    const problem = parsed.reason === "syntax" ? "the line is not JSON" : parsed.message;
    return malformed(`parse error: ${problem}`);
  }
  const frame = parsed.value;
  if (!isJsonObject(frame)) return malformed(UNSUPPORTED);
  const { type, id, method, params } = frame;
  if (typeof id === "number" && Number.isFinite(id) && !isKept(id)) return malformed(UNKEPT);
  if (!isRequestId(id)) return malformed(UNSUPPORTED);
  if (type !== "request" || typeof method !== "string") return malformed(UNSUPPORTED, id);
  return { kind: "request", id, method, params };
}

/** Writes one frame, without the end of its line. */
export function encodeFrame(frame: ServerFrame): string | Envelope {
  switch (frame.kind) {
    case "answer": {
      const payload = frame.payload === undefined
        ? ""
        : `,"payload":${JSON.stringify(frame.payload)}`;
      return `{"type":"response","id":${JSON.stringify(frame.id)},"ok":true${payload}}`;
    }
    case "refusal":
      return refusalLine(frame.id, frame.error.message);
    case "event":
      return new Envelope("", { shared: frame.line, after: "" });
  }
}

/** How a frame is delivered to a client that is behind. */
export function deliveryOf(frame: ServerFrame): Delivery {
  return frame.kind === "event" ? frame : ANSWER_DELIVERY;
}

/** The line that refuses a request. */
export function refusalLine(id: RequestId, message: string): string {
  return `{"type":"response","id":${JSON.stringify(id)},"ok":false,"error":${
    JSON.stringify(message)
  }}`;
}

/** The line of an event. */
export function eventLine(event: string, payload: unknown): SharedText {
  return new SharedText(() =>
    `{"type":"event","event":"${event}","payload":${JSON.stringify(payload)}}`
  );
}

const UNSUPPORTED = "unsupported frame";

/** No id of the answer could be the one of the request. */
const UNKEPT = "unsupported id: a number must be from " +
  `${Number.MIN_SAFE_INTEGER} to ${Number.MAX_SAFE_INTEGER} and not -0; use text instead`;

function malformed(message: string, id: RequestId = NO_ID): ClientFrame {
  return { kind: "malformed", id, message };
}

/** An empty text counts as none, and so does a number beyond all that can be read. */
function isRequestId(id: unknown): id is RequestId {
  return typeof id === "string" ? id !== "" : Number.isFinite(id);
}

/** Whether a number comes back as it was: beyond these whole numbers several are read as one. */
function isKept(id: number): boolean {
  return Math.abs(id) <= Number.MAX_SAFE_INTEGER && !Object.is(id, -0);
}
