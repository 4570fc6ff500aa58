/** What goes wrong between a client and its gateway. */

import { escapeText } from "../core/quote.ts";

/** Longest text of a gateway that an error's message repeats, in characters: enough for a validator's list. */
const MAX_MESSAGE_CHARS = 2_000;

/** Shows hostile text cut and escaped, so that printing an error is always safe. */
export function foreign(text: string): string {
  return escapeText(text, MAX_MESSAGE_CHARS);
}

/** An answer's error as the gateway sent it; all of its text is foreign. */
export interface AnsweredError {
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
}

/** The gateway answered a call with an error. `message` is escaped; {@linkcode answer} is as it was sent. */
export class CallFailed extends Error {
  override readonly name = "CallFailed";
  readonly method: string;
  readonly answer: AnsweredError;

  constructor(method: string, answer: AnsweredError) {
    super(foreign(answer.message));
    this.method = method;
    this.answer = answer;
  }

  /** The answer's code, escaped. */
  get code(): string {
    return foreign(this.answer.code);
  }
}

/**
 * Why there is no answer.
 * - `usage`: the caller's own arguments are wrong; nothing was sent.
 * - `unreachable`: no WebSocket came about (nothing listens, a refused upgrade, no such host).
 * - `refused`: the gateway answered `connect` with an error, or closed instead of answering.
 * - `protocol`: what came is not the gateway protocol.
 * - `timeout`: no answer in time.
 * - `closed`: the connection ended before the answer.
 * - `aborted`: the caller's signal fired.
 * - `overloaded`: a bound of this client was reached.
 */
export type ConnectionFault =
  | "usage"
  | "unreachable"
  | "refused"
  | "protocol"
  | "timeout"
  | "closed"
  | "aborted"
  | "overloaded";

/** There is no connection, or it gave no answer. `message` is safe to print and says what to do. */
export class ConnectionFailed extends Error {
  override readonly name = "ConnectionFailed";
  readonly fault: ConnectionFault;
  /** The WebSocket close code, where the peer sent one. */
  readonly closeCode?: number;
  /** The gateway's answer to `connect`, where it refused with one. */
  readonly answer?: AnsweredError;

  constructor(
    fault: ConnectionFault,
    message: string,
    extras: { readonly closeCode?: number; readonly answer?: AnsweredError } = {},
  ) {
    super(message);
    this.fault = fault;
    this.closeCode = extras.closeCode;
    this.answer = extras.answer;
  }
}
