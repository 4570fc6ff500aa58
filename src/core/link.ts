/** A connection's transport, whatever carries it: one side of a conversation in whole messages. */

import type { Envelope } from "./shared_text.ts";

/** What a link tells its one listener, in order, never from inside a call to the link. */
export interface LinkListener {
  /** One whole message: text, or bytes where the peer sent a binary frame. */
  message(data: string | Uint8Array): void;
  /** What was buffered has gone out, down to the link's low-water mark. */
  drained(): void;
  /**
   * The peer has said all that it wanted to, and still takes answers; a link whose peer leaves as a whole
   * never tells it. Without this, such a connection is over.
   */
  finished?(): void;
  /** The link is gone; nothing follows. {@linkcode VANISHED} when there was no close frame. */
  closed(code: number, reason: string): void;
}

/** A message to send: text, text that others are sent too, or bytes, which go as a binary frame. */
export type Outgoing = string | Envelope | Uint8Array<ArrayBuffer>;

/** How a message is to be sent. */
export interface SendOptions {
  /** The link may keep the message for a few milliseconds, to send it together with others. */
  readonly patient?: boolean;
}

/** A message transport. Sending on a closed link does nothing. */
export interface Link {
  /** Starts delivery; messages that came earlier are delivered now. Called once. */
  attach(listener: LinkListener): void;
  /** Queues one message; never waits. Order is kept. */
  send(data: Outgoing, options?: SendOptions): void;
  /**
   * Starts the closing handshake with a code and a reason of at most 123 bytes of UTF-8, behind all that
   * is buffered. A peer that has not taken part after {@linkcode CLOSE_DEADLINE_MS} is dropped.
   */
  close(code: number, reason: string): void;
  /** Drops the connection at once, with all that is buffered. */
  terminate(): void;
  /**
   * Bounds what the peer may send from now on, in bytes over all messages; more is refused with 1009 and
   * read no further. Undefined: no bound but that of a single message.
   */
  allow(bytes: number | undefined): void;
  /** Stops reading from the peer until {@linkcode resume}; transport-level backpressure does the rest. */
  pause(): void;
  resume(): void;
  /** Bytes accepted by {@linkcode send} that the operating system has not taken yet. */
  readonly buffered: number;
}

/** Codes that no close frame carries (RFC 6455, section 7.4.1): it named none, or there was no close frame. */
export const NO_CODE = 1005;
export const VANISHED = 1006;

/** The most bytes that a close frame's reason holds (RFC 6455, section 5.5). */
export const MAX_CLOSE_REASON_BYTES = 123;

/** How long a peer has to answer a close before it is dropped, in milliseconds. */
export const CLOSE_DEADLINE_MS = 5_000;
