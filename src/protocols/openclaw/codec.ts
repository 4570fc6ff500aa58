/** Frames of the OpenClaw wire: text to frame, frame to text. */

import * as v from "valibot";
import type { GatewayError } from "../../core/error.ts";
import { explain } from "../../core/explain.ts";
import { isJsonObject, parseJson } from "../../core/json.ts";
import { ANSWER_DELIVERY, type Delivery, type Overflow } from "../../core/outbox.ts";
import { Envelope, SharedText } from "../../core/shared_text.ts";
import type { StateVersions } from "../../services/domain_event.ts";

/** What a message from a client turned out to be. */
export type ClientFrame =
  | {
    readonly kind: "request";
    readonly id: string;
    readonly method: string;
    readonly params: unknown;
    /** Characters or bytes of the message. */
    readonly size: number;
  }
  /** Not JSON; ignored once connected. */
  | { readonly kind: "noise"; readonly size: number }
  /** JSON, but no request. `id` is what the answer names. */
  | {
    readonly kind: "malformed";
    readonly id: unknown;
    readonly message: string;
    readonly size: number;
  };

/** What is sent to a client. */
export type ServerFrame =
  | { readonly kind: "answer"; readonly id: unknown; readonly payload: unknown }
  | { readonly kind: "refusal"; readonly id: unknown; readonly error: GatewayError }
  | EventFrame;

/** An event as it goes out; its payload is serialised once, however many connections get it. */
export interface EventFrame extends Delivery {
  readonly kind: "event";
  readonly event: string;
  /** The frame from its beginning to the end of its payload: what is the same for every connection. */
  readonly opening: SharedText;
  readonly stateVersion?: StateVersions;
  /** False for an event meant for one connection outside the numbered stream. */
  readonly sequenced: boolean;
  readonly overflow: Overflow;
  /** Frames of one key replace each other where they coalesce. */
  readonly key: string;
}

/** The opening of an event's frame; written when the first connection gets it, so the payload must stay as it is. */
export function eventOpening(event: string, payload: unknown): SharedText {
  return new SharedText(() =>
    `{"type":"event","event":"${event}","payload":${JSON.stringify(payload)}`
  );
}

/** The id of the answer to a frame that has none. Source: the reference gateway. */
export const NO_ID = "invalid";

/** The document's RequestFrame. */
const RequestFrame = v.strictObject({
  type: v.literal("req"),
  id: v.pipe(v.string(), v.minLength(1)),
  method: v.pipe(v.string(), v.minLength(1)),
  params: v.optional(v.unknown()),
});

/** Reads one message. Binary messages that hold JSON count like text. Never throws. */
export function decodeFrame(data: string | Uint8Array): ClientFrame {
  const size = data.length;
  const parsed = parseJson(data);
  if (!parsed.ok) {
    if (parsed.reason === "syntax") return { kind: "noise", size };
    const id = readableId(parsed.value);
    return { kind: "malformed", id, message: frameProblem(parsed.message), size };
  }
  const value = parsed.value;
  if (!isJsonObject(value)) {
    return { kind: "malformed", id: NO_ID, message: frameProblem("must be object"), size };
  }
  const { type, id, method, params } = value;
  if (
    type === "req" && typeof id === "string" && id !== "" && typeof method === "string" &&
    method !== "" && Object.keys(value).length === (params === undefined ? 3 : 4)
  ) {
    return { kind: "request", id, method, params, size };
  }
  const problems = explain(RequestFrame, value).join("; ");
  return { kind: "malformed", id: id ?? NO_ID, message: frameProblem(problems), size };
}

/** Writes one frame. Members that are undefined are left out; no frame has members beyond the document's. */
export function encodeFrame(frame: ServerFrame, sequence: number): string | Envelope {
  switch (frame.kind) {
    case "answer":
      return frame.payload === undefined
        ? `{"type":"res","id":${JSON.stringify(frame.id)},"ok":true}`
        : `{"type":"res","id":${JSON.stringify(frame.id)},"ok":true,"payload":${
          JSON.stringify(frame.payload)
        }}`;
    case "refusal": {
      const { payload } = frame.error.extras;
      const beside = payload === undefined ? "" : `,"payload":${JSON.stringify(payload)}`;
      return `{"type":"res","id":${JSON.stringify(frame.id)},"ok":false${beside},"error":${
        JSON.stringify(errorShape(frame.error))
      }}`;
    }
    case "event": {
      const seq = frame.sequenced ? `,"seq":${sequence}` : "";
      const versions = frame.stateVersion === undefined
        ? ""
        : `,"stateVersion":${JSON.stringify(frame.stateVersion)}`;
      return new Envelope("", { shared: frame.opening, after: `${seq}${versions}}` });
    }
  }
}

/** How a frame is delivered to a client that is behind. */
export function deliveryOf(frame: ServerFrame): Delivery {
  return frame.kind === "event" ? frame : ANSWER_DELIVERY;
}

/** The document's ErrorShape. */
function errorShape(error: GatewayError): Record<string, unknown> {
  const { details, retryable, retryAfterMs } = error.extras;
  return { code: error.code, message: error.message, details, retryable, retryAfterMs };
}

/** The id of a frame that is refused for something else in it. */
function readableId(value: unknown): string {
  const id = isJsonObject(value) ? value.id : undefined;
  return typeof id === "string" && id.isWellFormed() ? id : NO_ID;
}

function frameProblem(problem: string): string {
  return `invalid request frame: ${problem}`;
}
