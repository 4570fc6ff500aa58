/** A link for tests: keeps what was sent, lets a test play the peer and the network. */

import type { Link, LinkListener, Outgoing } from "../../src/core/link.ts";

/** Both ends of a connection in memory. */
export class MemoryLink implements Link {
  readonly sent: Outgoing[] = [];
  buffered = 0;
  paused = false;
  closedWith: { code: number; reason: string } | undefined;
  terminated = false;
  #listener: LinkListener | undefined;

  attach(listener: LinkListener): void {
    this.#listener = listener;
  }

  send(data: Outgoing): void {
    this.sent.push(data);
  }

  close(code: number, reason: string): void {
    this.closedWith = { code, reason };
  }

  terminate(): void {
    this.terminated = true;
  }

  /** What the peer may still send; see `Link.allow`. */
  allowance: number | undefined;

  allow(bytes: number | undefined): void {
    this.allowance = bytes;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** The peer sends a message. */
  receive(data: string | Uint8Array): void {
    this.#listener?.message(data);
  }

  /** The peer took what was buffered. */
  drain(): void {
    this.buffered = 0;
    this.#listener?.drained();
  }

  /** The peer has said all, and still listens. */
  finish(): void {
    this.#listener?.finished?.();
  }

  /** The connection ends. */
  end(code: number = 1005, reason: string = ""): void {
    this.#listener?.closed(code, reason);
  }

  /** The frames sent since the last call, parsed. */
  take(): unknown[] {
    return this.sent.splice(0).map((data) => JSON.parse(String(data)));
  }
}
