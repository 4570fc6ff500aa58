/** A WebSocket of the `ws` package as a link, and how its writes are put together. */

import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import type { Link, LinkListener, SendOptions } from "../core/link.ts";

/** Pings and pongs that a client may send in ten seconds; more close the connection, as nothing honest needs them. */
export const MAX_PINGS = 100;

const PING_WINDOW_MS = 10_000;

/** How long a client that broke a bound has to take the close frame, in milliseconds. */
const EXPEL_TIMEOUT_MS = 1_000;

/**
 * Connections above which messages that can wait do: with so many listeners, an event costs a system
 * call each, and two or three events that come close together share them.
 */
export const CROWD = 64;

/** How long such a message waits at the most, in milliseconds: too short to be noticed by a person. */
const CROWD_DELAY_MS = 8;

/** Only what comes this soon after the event before it waits, in milliseconds: a lone event goes at once. */
const CROWD_GAP_MS = 3;

/** Puts what is written close together on one connection into one write. */
export class SharedWrites {
  readonly #connections: () => number;
  /** Held until the end of the turn, and until the crowd's timer runs. */
  #turn: Duplex[] = [];
  #crowd = new Set<Duplex>();
  readonly #held = new WeakSet<Duplex>();
  #lastEventAt = -Infinity;
  #answer: boolean | undefined;

  /** `connections` tells how many there are now. */
  constructor(connections: () => number) {
    this.#connections = connections;
  }

  /** Holds a connection's writes: until the turn ends, or somewhat longer for what can wait in a crowd. */
  hold(raw: Duplex, patient: boolean): void {
    const waits = patient && this.#connections() > CROWD && this.#hurried();
    if (!this.#held.has(raw)) {
      this.#held.add(raw);
      raw.cork();
      if (waits) return this.#wait(raw);
    } else if (waits || !this.#crowd.delete(raw)) return;
    if (this.#turn.push(raw) === 1) queueMicrotask(() => this.#endTurn());
  }

  /** Whether the events of this turn follow close upon others; one answer for all of the turn. */
  #hurried(): boolean {
    if (this.#answer === undefined) {
      const now = performance.now();
      this.#answer = now - this.#lastEventAt < CROWD_GAP_MS;
      this.#lastEventAt = now;
      queueMicrotask(() => this.#answer = undefined);
    }
    return this.#answer;
  }

  #wait(raw: Duplex): void {
    this.#crowd.add(raw);
    if (this.#crowd.size === 1) setTimeout(() => this.#endWait(), CROWD_DELAY_MS);
  }

  #endTurn(): void {
    const held = this.#turn;
    this.#turn = [];
    for (const raw of held) this.#release(raw);
  }

  #endWait(): void {
    const held = this.#crowd;
    this.#crowd = new Set();
    for (const raw of held) this.#release(raw);
  }

  #release(raw: Duplex): void {
    this.#held.delete(raw);
    raw.uncork();
  }
}

/** What a link shares with the others of its listener. */
export interface WsLinkParts {
  /** The connection below the WebSocket. */
  readonly socket: Duplex;
  readonly writes: SharedWrites;
}

/** A WebSocket of the `ws` package as a link. What is sent in one turn goes out in one write. */
export class WsLink implements Link {
  readonly #socket: WebSocket;
  readonly #raw: Duplex;
  readonly #writes: SharedWrites;
  #listener: LinkListener | undefined;
  #early: (string | Uint8Array)[] = [];
  #allowance = Infinity;
  #pings = 0;
  #pingsSince = 0;
  #waiting = false;

  constructor(socket: WebSocket, parts: WsLinkParts) {
    this.#socket = socket;
    this.#raw = parts.socket;
    this.#writes = parts.writes;
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    socket.on("ping", (data) => {
      if (this.#countPing()) socket.pong(data);
    });
    // The gateway sends no pings, so that a pong answers nothing and counts alike.
    socket.on("pong", () => this.#countPing());
    // The close event follows every error and says all that matters.
    socket.on("error", () => {});
    socket.on("close", (code, reason) => this.#listener?.closed(code, reason.toString()));
  }

  attach(listener: LinkListener): void {
    this.#listener = listener;
    const early = this.#early;
    this.#early = [];
    for (const data of early) listener.message(data);
  }

  send(data: string | Uint8Array, options?: SendOptions): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#writes.hold(this.#raw, options?.patient === true);
    this.#socket.send(data, this.#flushed);
    if (this.#socket.bufferedAmount > 0) this.#waiting = true;
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  allow(bytes: number | undefined): void {
    this.#raw.off("data", this.#count);
    this.#allowance = bytes ?? Infinity;
    if (bytes !== undefined) this.#raw.on("data", this.#count);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  readonly #count = (chunk: Uint8Array): void => {
    this.#allowance -= chunk.length;
    if (this.#allowance >= 0) return;
    this.#raw.off("data", this.#count);
    this.#expel(1009, "");
  };

  readonly #flushed = (): void => {
    if (!this.#waiting || this.#socket.bufferedAmount > 0) return;
    this.#waiting = false;
    this.#listener?.drained();
  };

  #receive(data: unknown, isBinary: boolean): void {
    if (!(data instanceof Uint8Array)) return;
    const message = isBinary ? data : data.toString();
    if (this.#listener === undefined) this.#early.push(message);
    else this.#listener.message(message);
  }

  /** Whether one more is fine. */
  #countPing(): boolean {
    const now = performance.now();
    if (now - this.#pingsSince > PING_WINDOW_MS) {
      this.#pingsSince = now;
      this.#pings = 0;
    }
    if (++this.#pings === MAX_PINGS) this.#expel(1008, "too many pings");
    return this.#pings < MAX_PINGS;
  }

  /** Says why, reads nothing more, and drops the connection when it is still there after a while. */
  #expel(code: number, reason: string): void {
    this.#socket.close(code, reason);
    this.#socket.pause();
    const timer = setTimeout(() => this.#socket.terminate(), EXPEL_TIMEOUT_MS);
    this.#socket.once("close", () => clearTimeout(timer));
  }
}
