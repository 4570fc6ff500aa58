/** What a gateway sends, parsed from one message. */

import { isJsonObject } from "../core/json.ts";
import type { AnsweredError } from "./client_error.ts";

/** One event of the gateway. All text in it is foreign. */
export interface GatewayEvent {
  readonly event: string;
  readonly payload: unknown;
  /** Counts the events of this connection from 1; absent on events meant for this client alone. */
  readonly seq?: number;
  readonly stateVersion?: { readonly presence: number; readonly health: number };
}

/** One message of a gateway. */
export type ServerFrame =
  | { readonly type: "answer"; readonly id: string; readonly ok: true; readonly payload: unknown }
  | {
    readonly type: "answer";
    readonly id: string;
    readonly ok: false;
    readonly payload: unknown;
    readonly error: AnsweredError;
  }
  | { readonly type: "event"; readonly event: GatewayEvent }
  /** Not a frame of the protocol; `id` where it still names a call. */
  | { readonly type: "malformed"; readonly id?: string };

/** Parses one message; never throws. Keys that the protocol does not name are ignored. */
export function parseServerFrame(data: unknown): ServerFrame {
  if (typeof data !== "string") return { type: "malformed" };
  let frame: unknown;
  try {
    frame = JSON.parse(data);
  } catch {
    return { type: "malformed" };
  }
  if (!isJsonObject(frame)) return { type: "malformed" };
  if (frame.type === "event") return parseEvent(frame);
  if (frame.type === "res" && typeof frame.id === "string") return parseAnswer(frame, frame.id);
  return { type: "malformed" };
}

type JsonObject = Readonly<Record<string, unknown>>;

function parseEvent(frame: JsonObject): ServerFrame {
  if (typeof frame.event !== "string") return { type: "malformed" };
  const { seq, stateVersion } = frame;
  return {
    type: "event",
    event: {
      event: frame.event,
      payload: frame.payload,
      ...(typeof seq === "number" ? { seq } : {}),
      ...(isStateVersion(stateVersion) ? { stateVersion } : {}),
    },
  };
}

function isStateVersion(value: unknown): value is { presence: number; health: number } {
  return isJsonObject(value) && typeof value.presence === "number" &&
    typeof value.health === "number";
}

function parseAnswer(frame: JsonObject, id: string): ServerFrame {
  const { ok, payload } = frame;
  if (ok === true) return { type: "answer", id, ok, payload };
  if (ok !== false) return { type: "malformed", id };
  return { type: "answer", id, ok, payload, error: parseError(frame.error) };
}

function parseError(error: unknown): AnsweredError {
  if (!isJsonObject(error) || typeof error.code !== "string" || typeof error.message !== "string") {
    return { code: "UNAVAILABLE", message: "the gateway refused and gave no reason" };
  }
  return {
    code: error.code,
    message: error.message,
    ...(error.details === undefined ? {} : { details: error.details }),
    ...(typeof error.retryable === "boolean" ? { retryable: error.retryable } : {}),
    ...(typeof error.retryAfterMs === "number" ? { retryAfterMs: error.retryAfterMs } : {}),
  };
}

/** The parts of the answer to `connect` that this client reads; the rest is in {@linkcode Hello.payload}. */
export interface Hello {
  readonly protocol: number;
  readonly serverVersion: string;
  readonly connId: string;
  readonly methods: readonly string[];
  readonly events: readonly string[];
  /** Largest message the gateway takes, in bytes. */
  readonly maxPayload: number;
  readonly tickIntervalMs: number;
  /** All of it, as it was sent. */
  readonly payload: Readonly<Record<string, unknown>>;
}

/** What holds where a gateway leaves its policy out. Source: the protocol document's release. */
const DEFAULT_POLICY = { maxPayload: 524_288, tickIntervalMs: 30_000 } as const;

/** Reads the answer to `connect`, or undefined when it is none. */
export function parseHello(payload: unknown): Hello | undefined {
  if (!isJsonObject(payload) || payload.type !== "hello-ok") return undefined;
  if (typeof payload.protocol !== "number") return undefined;
  const server = isJsonObject(payload.server) ? payload.server : {};
  const features = isJsonObject(payload.features) ? payload.features : {};
  const policy = isJsonObject(payload.policy) ? payload.policy : {};
  return {
    protocol: payload.protocol,
    serverVersion: typeof server.version === "string" ? server.version : "",
    connId: typeof server.connId === "string" ? server.connId : "",
    methods: texts(features.methods),
    events: texts(features.events),
    maxPayload: positive(policy.maxPayload) ?? DEFAULT_POLICY.maxPayload,
    tickIntervalMs: positive(policy.tickIntervalMs) ?? DEFAULT_POLICY.tickIntervalMs,
    payload,
  };
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function positive(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : undefined;
}
