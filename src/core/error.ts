/**
 * The two things that the gateway throws on purpose: {@linkcode GatewayError} answers the request,
 * {@linkcode Disconnect} ends the connection. A port's file may define a {@linkcode PortFailure}, which
 * is answered as `UNAVAILABLE` with what it says to those who asked. Everything else that is thrown is
 * a defect and is answered as `UNAVAILABLE` without its text.
 */

/** The codes that an answer may carry. Source: the protocol document, "Error Shape". */
export const ERROR_CODES = [
  "INVALID_REQUEST",
  "NOT_PAIRED",
  "NOT_LINKED",
  "AGENT_TIMEOUT",
  "UNAVAILABLE",
] as const;

/** One of {@linkcode ERROR_CODES}. */
export type ErrorCode = typeof ERROR_CODES[number];

/** What an error says besides its code and message. */
export interface ErrorExtras {
  /** Machine-readable facts; JSON. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** JSON that stands beside the error, as an answer's payload does, on wires whose frames have room. */
  readonly payload?: Readonly<Record<string, unknown>>;
  /** Asking the same again may succeed. */
  readonly retryable?: boolean;
  /** When, in milliseconds from now. */
  readonly retryAfterMs?: number;
}

/** Answers the request that caused it. The message says what failed, with which value, and what to do. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  readonly extras: ErrorExtras;

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message);
    this.code = code;
    this.extras = extras;
  }
}

/** Ends the connection with a WebSocket close code. `reason` is cut to what a close frame holds. */
export class Disconnect extends Error {
  override readonly name = "Disconnect";
  readonly code: number;
  readonly reason: string;
  /** Sent as the answer to the request before the close, where there is a request to answer. */
  readonly answer?: GatewayError;

  constructor(code: number, reason: string, answer?: GatewayError) {
    super(reason);
    this.code = code;
    this.reason = reason;
    this.answer = answer;
  }
}

/** What those who asked may read of a failure. */
export interface Told {
  /** What failed and what to do next: a fixed text, so that no path, secret or foreign word is in it. */
  readonly message: string;
  /** Asking the same again may succeed without anybody doing something about it. */
  readonly retryable: boolean;
}

/**
 * A failure of what the gateway stands on, base of the errors that ports define. `message` is for the
 * log and for who runs the gateway and may name files; `told` is all that clients read.
 */
export abstract class PortFailure extends Error {
  abstract readonly told: Told;
}

/** The request was wrong: `INVALID_REQUEST`. */
export function invalidRequest(message: string, extras: ErrorExtras = {}): GatewayError {
  return new GatewayError("INVALID_REQUEST", message, extras);
}

/** One request more than the `most` that may run at once on a connection: `UNAVAILABLE`. */
export function tooManyRequests(most: number): GatewayError {
  const message = `more than ${most} requests are running on this connection; wait for answers`;
  return new GatewayError("UNAVAILABLE", message, { retryable: true });
}

/** A thrown value for the log: its stack where it has one, else its text. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** What a thrown value becomes as an answer; a defect's own text stays inside. */
export function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  if (thrown instanceof PortFailure) {
    const { message, retryable } = thrown.told;
    return new GatewayError("UNAVAILABLE", message, retryable ? { retryable } : {});
  }
  return new GatewayError("UNAVAILABLE", "internal error; see the gateway's log", {
    retryable: true,
  });
}
