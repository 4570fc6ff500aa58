/** How a client of the gateway is set up, and its bounds. */

import type { After } from "./open_socket.ts";

/** The version of the wire that this client speaks. */
export const PROTOCOL_VERSION = 3;

/** How long a connection may take from the first byte to the gateway's greeting, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** How long to wait for the challenge before connecting without it, in milliseconds. */
export const CHALLENGE_TIMEOUT_MS = 2_000;
/** How long a call waits for its answer, in milliseconds. */
export const CALL_TIMEOUT_MS = 30_000;
/** How long a two-answer call waits for the second one, in milliseconds: longer than any run should take. */
export const FINISH_TIMEOUT_MS = 3_600_000;
/** How long {@linkcode GatewayClient.close} waits for the peer's side of the closing, in milliseconds. */
export const CLOSE_TIMEOUT_MS = 2_000;
/** Most calls in flight; the next one fails as `overloaded`. */
export const MAX_PENDING_CALLS = 1_024;
/** Most open event streams; the next one is refused as `overloaded`. */
export const MAX_EVENT_STREAMS = 64;
/** Most bytes handed to the socket and not sent yet; a call beyond fails as `overloaded`. */
export const MAX_UNSENT_BYTES = 16 * 1024 * 1024;
/** Largest message accepted, in UTF-16 units (reference clients take 25 MiB); a larger one ends the connection. */
export const MAX_MESSAGE_CHARS = 25 * 1024 * 1024;
/** Who the client says it is. */
export interface ClientInfo {
  readonly id: string;
  readonly version: string;
  readonly platform: string;
  readonly mode: string;
  readonly displayName?: string;
  readonly instanceId?: string;
}

/** How to connect. */
export interface GatewayClientOptions {
  /** `ws://…` or `wss://…`; see {@linkcode gatewayUrl}. */
  readonly url: string;
  /** The gateway's shared token, or a device's own. */
  readonly token?: string;
  readonly password?: string;
  /** Default: id and mode `cli`. */
  readonly client?: Partial<ClientInfo>;
  /** Default `operator`. */
  readonly role?: "operator" | "node";
  /** What to ask for; the gateway cuts it to what the credential grants. Default: every operator scope. */
  readonly scopes?: readonly string[];
  readonly caps?: readonly string[];
  /** Proves a device identity: given the challenge's nonce (absent when none came), the wire's `device` member. */
  readonly device?: (nonce: string | undefined) => Promise<Readonly<Record<string, unknown>>>;
  /** Default {@linkcode CONNECT_TIMEOUT_MS}. */
  readonly connectTimeoutMs?: number;
  /** Default {@linkcode CHALLENGE_TIMEOUT_MS}. */
  readonly challengeTimeoutMs?: number;
  /** For calls that do not say; default {@linkcode CALL_TIMEOUT_MS}. */
  readonly callTimeoutMs?: number;
  /** Gives up connecting. */
  readonly signal?: AbortSignal;
  /** Runs a task later and returns what takes it back; default the platform's timers. */
  readonly after?: After;
}

/** Options of one call. */
export interface CallOptions {
  readonly timeoutMs?: number;
  /** Stops waiting. The gateway is not told; what it was asked for may still happen. */
  readonly signal?: AbortSignal;
}

/** Options of one call with two answers. */
export interface TwoAnswerOptions extends CallOptions {
  /** How long the second answer may take after the first; default {@linkcode FINISH_TIMEOUT_MS}. */
  readonly finishTimeoutMs?: number;
}

/** The answers of a call such as `agent`. Both are the same when the gateway answered once. */
export interface TwoAnswers {
  readonly accepted: unknown;
  /** Rejects as {@linkcode GatewayClient.call} does; need not be awaited. */
  readonly finished: Promise<unknown>;
}

/** How a connection ended. `reason` is escaped. */
export interface ClosedConnection {
  readonly code: number;
  readonly reason: string;
}

/** Every scope of an operator. */
export const OPERATOR_SCOPES: readonly string[] = [
  "operator.admin",
  "operator.approvals",
  "operator.pairing",
  "operator.read",
  "operator.write",
];
