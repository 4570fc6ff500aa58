/** A runtime's own WebSocket as a link, as far as the Web's surface goes. */

import type { Schedule } from "./driver.ts";
import { type Link, type LinkListener, type Outgoing, VANISHED } from "./link.ts";
import { READY_STATE, type ServerSocket } from "./websocket.ts";

/** How often a socket that is behind is asked whether it has caught up, in milliseconds; no event tells. */
const DRAIN_POLL_MS = 20;

/** Bytes waiting in a socket from which on it is asked. */
const BEHIND_BYTES = 16 * 1024;

/** Bytes that may come while reading is paused, as such a socket cannot stop its peer; more end it with 1008. */
const MAX_PAUSED_BYTES = 1024 * 1024;

/** The link of a socket: the one that it brings, or one made of its Web surface. */
export function linkOf(socket: ServerSocket, schedule: Schedule): Link {
  return socket.link ?? new WebSocketLink(socket, schedule);
}

/**
 * What the Web's surface cannot do is done as nearly as it allows: `terminate` closes and listens no
 * more, `pause` keeps what comes within a bound, and `drained` is found out by asking.
 */
class WebSocketLink implements Link {
  readonly #socket: ServerSocket;
  readonly #schedule: Schedule;
  readonly #waiting: (string | Uint8Array<ArrayBuffer>)[] = [];
  #waitingBytes = 0;
  #listener: LinkListener | undefined;
  #paused = false;
  /** The connection has ended, which is told when all before it has been. */
  #end: { readonly code: number; readonly reason: string } | undefined;
  #over = false;
  /** The peer broke a bound: what it still sends is not looked at. */
  #expelled = false;
  #polling = false;
  #allowance = Infinity;

  constructor(socket: ServerSocket, schedule: Schedule) {
    this.#socket = socket;
    this.#schedule = schedule;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => this.#receive(data));
    socket.addEventListener("close", ({ code, reason }) => this.#ended(code, reason));
    // The close event follows every error and says all that matters.
    socket.addEventListener("error", () => {});
  }

  attach(listener: LinkListener): void {
    this.#listener = listener;
    this.#schedule(0, () => this.#deliver());
  }

  send(data: Outgoing): void {
    if (this.#over || this.#socket.readyState !== READY_STATE.open) return;
    this.#socket.send(data instanceof Uint8Array ? data : String(data));
    if (this.buffered > BEHIND_BYTES) this.#poll();
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState === READY_STATE.open) this.#socket.close(code, reason);
  }

  terminate(): void {
    this.close(1001, "");
    this.#forget();
    this.#schedule(0, () => this.#ended(VANISHED, ""));
  }

  allow(bytes: number | undefined): void {
    this.#allowance = bytes ?? Infinity;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule(0, () => this.#deliver());
  }

  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  #receive(data: unknown): void {
    if (this.#end !== undefined || this.#expelled) return;
    const message = data instanceof ArrayBuffer ? new Uint8Array(data) : String(data);
    this.#allowance -= message.length;
    if (this.#allowance < 0) return this.#expel(1009, "");
    this.#waiting.push(message);
    this.#waitingBytes += message.length;
    this.#deliver();
    if (this.#waitingBytes > MAX_PAUSED_BYTES) this.#expel(1008, "sent too much unread");
  }

  #expel(code: number, reason: string): void {
    this.#expelled = true;
    this.close(code, reason);
  }

  #forget(): void {
    this.#expelled = true;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }

  #deliver(): void {
    while (!this.#paused && !this.#over && this.#listener !== undefined) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      this.#waitingBytes -= message.length;
      this.#listener.message(message);
    }
    const end = this.#end;
    if (end === undefined || this.#over || this.#listener === undefined) return;
    if (this.#waiting.length > 0) return;
    this.#over = true;
    this.#listener.closed(end.code, end.reason);
  }

  #ended(code: number, reason: string): void {
    // Some runtimes have no code for a peer that vanished.
    this.#end ??= { code: code === 0 ? VANISHED : code, reason };
    this.#deliver();
  }

  #poll(): void {
    if (this.#polling || this.#over) return;
    this.#polling = true;
    this.#schedule(DRAIN_POLL_MS, () => {
      this.#polling = false;
      if (this.#over) return;
      if (this.buffered > BEHIND_BYTES) this.#poll();
      else this.#listener?.drained();
    });
  }
}
