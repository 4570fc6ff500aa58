/** A WebSocket over a plain byte stream: this package's own framing behind the Web's surface. */

import type { BufferPool } from "../core/buffer_pool.ts";
import { FrameWriter, type Segment } from "../core/frame_writer.ts";
import {
  CLOSE_DEADLINE_MS,
  type Link,
  type LinkListener,
  NO_CODE,
  type Outgoing,
  type SendOptions,
  VANISHED,
} from "../core/link.ts";
import {
  type CloseNote,
  type MessageNote,
  READY_STATE,
  type ServerSocket,
} from "../core/websocket.ts";
import {
  closePayload,
  type FrameLimits,
  FrameReader,
  type FrameSink,
  type FrameTools,
  type FrameViolation,
  OPCODE,
} from "../core/websocket_frame.ts";
import type { ReadBuffers } from "./read_buffers.ts";
import { TurnStream } from "./turn_stream.ts";
import type { ByteStream } from "./turn_writer.ts";
import type { TurnBudget } from "./turn_budget.ts";
import type { WriteTurns } from "./write_turns.ts";

export type { ByteStream } from "./turn_writer.ts";

/** Pings and pongs within {@linkcode PING_WINDOW_MS} with which a client is closed, as nothing honest sends as many. */
export const MAX_PINGS = 100;

/** Time over which they are counted, in milliseconds. */
export const PING_WINDOW_MS = 10_000;

/** How long a client that broke a bound has to take the close frame, in milliseconds. */
const EXPEL_TIMEOUT_MS = 1_000;

/** What such a client may still send meanwhile, in bytes, so that it reads the close frame at all. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

/** What the sockets of one listener share. */
export interface SocketHouse {
  readonly limits: FrameLimits;
  readonly tools: FrameTools;
  readonly pool: BufferPool;
  readonly reads: ReadBuffers;
  readonly turns: WriteTurns;
  readonly budget: TurnBudget;
  /** Told of a socket that has ended, once its owner was. */
  readonly left: (socket: FramedSocket) => void;
  /** Told of what a listener threw; must not throw. */
  readonly failed: (error: unknown) => void;
}

/** Frames that are read between two looks at the clock. */
const FRAMES_PER_LOOK = 16;

type SocketEvent = "open" | "message" | "close" | "error";
type SocketListener = (event: MessageNote & CloseNote) => void;

/**
 * A server's socket: the Web's surface for handlers, and the {@linkcode Link} beneath it. Until it has a
 * listener of either kind, nothing is read.
 */
export class FramedSocket extends TurnStream implements ServerSocket, Link, FrameSink {
  readonly protocol: string;
  binaryType = "arraybuffer";
  onopen: (() => void) | null = null;
  onclose: ((event: CloseNote) => void) | null = null;
  onerror: (() => void) | null = null;
  #onmessage: ((event: MessageNote) => void) | null = null;
  readonly #house: SocketHouse;
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  #listener: LinkListener | undefined;
  #listeners: Map<SocketEvent, SocketListener[]> | undefined;
  #readyState: number = READY_STATE.open;
  /** The peer's close frame. */
  #goodbye: { readonly code: number; readonly reason: string } | undefined;
  /** The peer broke a bound; what it still sends is not looked at. */
  #expelled = false;
  #discarded = 0;
  /** Our side of the stream is closed. */
  #hungUp = false;
  // Reading.
  #paused = false;
  #allowance = Infinity;
  #pings = 0;
  #pingsSince = 0;
  #silence = 0;
  /** Frames looked at, to ask for the time not at each. */
  #frames = 0;

  /** `protocol`: what the handshake settled on; absent: none. */
  constructor(
    stream: ByteStream,
    house: SocketHouse,
    options: { readonly protocol?: string } = {},
  ) {
    super(stream);
    this.protocol = options.protocol ?? "";
    this.#house = house;
    this.#reader = new FrameReader(this, house.limits, house.tools);
    this.#writer = new FrameWriter(house.pool);
  }

  get onmessage(): ((event: MessageNote) => void) | null {
    return this.#onmessage;
  }

  set onmessage(handler: ((event: MessageNote) => void) | null) {
    this.#onmessage = handler;
    this.resumeReading();
  }

  get link(): Link {
    return this;
  }

  get readyState(): number {
    return this.#readyState;
  }

  get bufferedAmount(): number {
    return this.buffered;
  }

  // What the owner asks.

  attach(listener: LinkListener): void {
    this.#listener = listener;
    this.resumeReading();
  }

  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: MessageNote) => void): void;
  addEventListener(type: "close", listener: (event: CloseNote) => void): void;
  addEventListener(type: SocketEvent, listener: SocketListener): void {
    const listeners = this.#listeners ??= new Map();
    listeners.set(type, [...listeners.get(type) ?? [], listener]);
    this.resumeReading();
  }

  send(data: Outgoing, options?: SendOptions): void {
    if (this.#readyState !== READY_STATE.open) return;
    if (data instanceof Uint8Array) this.#writer.frame(OPCODE.binary, data);
    else this.#writer.text(data);
    this.queued(options?.patient === true);
  }

  close(code: number = NO_CODE, reason: string = ""): void {
    if (this.#readyState !== READY_STATE.open) return;
    this.#sayGoodbye(code, reason);
    this.dropAfter(CLOSE_DEADLINE_MS);
  }

  terminate(): void {
    if (!this.endStream()) return;
    this.#readyState = Math.max(this.#readyState, READY_STATE.closing);
    this.#writer.clear();
    this.resumeReading();
  }

  allow(bytes: number | undefined): void {
    this.#allowance = bytes ?? Infinity;
  }

  pause(): void {
    if (this.#readyState === READY_STATE.open) this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.resumeReading();
  }

  // What the listener asks.

  /** Reads until the connection is over, and then has left its house; `first` came behind the handshake. */
  run(first: Uint8Array<ArrayBuffer>): void {
    // Not before the owner has the socket.
    queueMicrotask(() => {
      this.#emit("open", noteOf(undefined));
      if (first.length > 0) this.#count(first);
      this.startReading();
    });
  }

  /** One round of care for the connections: how many rounds the peer has said nothing, this one included. */
  age(): number {
    // Nobody is heard who is not listened to; the owner sees to such a peer.
    return this.#silence = this.#paused ? 0 : this.#silence + 1;
  }

  /** Takes rounds back that the peer cannot be blamed for: what it sent over so many milliseconds comes only now. */
  rejuvenate(unheardMs: number): void {
    this.#silence = 0;
    // Its pings, too, come all at once.
    this.#pingsSince = performance.now();
    this.#pings = -Math.ceil(unheardMs / PING_WINDOW_MS) * MAX_PINGS;
  }

  /** Asks the peer for a sign of life. */
  probe(): void {
    if (this.#readyState !== READY_STATE.open) return;
    this.#writer.frame(OPCODE.ping, NOTHING);
    this.hold(true);
  }

  // What the reader found.

  get blocked(): boolean {
    return this.deaf || (++this.#frames % FRAMES_PER_LOOK === 0 && this.budget.spent);
  }

  gotText(message: string): void {
    if (this.#readyState !== READY_STATE.open) return;
    this.#hand(message);
    if (this.#hasWebListener) this.#emit("message", noteOf(message));
  }

  gotBinary(message: Uint8Array<ArrayBuffer>): void {
    if (this.#readyState !== READY_STATE.open) return;
    this.#hand(message);
    if (!this.#hasWebListener) return;
    const data = this.binaryType === "blob" ? new Blob([message]) : exactBuffer(message);
    this.#emit("message", noteOf(data));
  }

  gotPing(payload: Uint8Array): void {
    if (!this.#countPing() || this.#readyState !== READY_STATE.open) return;
    this.#writer.frame(OPCODE.pong, payload);
    this.hold(false);
  }

  gotPong(): void {
    this.#countPing();
  }

  gotClose(code: number, reason: string): void {
    this.#goodbye = { code, reason };
    if (this.#readyState === READY_STATE.open) {
      this.#sayGoodbye(code, "");
      this.dropAfter(CLOSE_DEADLINE_MS);
    } else if (this.resting) this.terminate();
  }

  gotViolation({ code, reason }: FrameViolation): void {
    this.#expel(code, reason);
  }

  // Reading.

  /** Nothing is to be read now. */
  protected get deaf(): boolean {
    if (this.gone || this.#readyState !== READY_STATE.open) return this.#discarded < 0;
    return this.#paused || (this.#listener === undefined && !this.#hasWebListener);
  }

  get #hasWebListener(): boolean {
    return this.#onmessage !== null || this.#listeners !== undefined;
  }

  protected get reads(): ReadBuffers {
    return this.#house.reads;
  }

  protected get budget(): TurnBudget {
    return this.#house.budget;
  }

  /** What came behind the handshake waits for a listener, and counts as all that follows does. */
  #count(first: Uint8Array<ArrayBuffer>): void {
    this.#allowance -= first.length;
    if (this.#allowance < 0) this.#expel(1009, "");
    else this.keep(first);
  }

  protected arrived(bytes: Uint8Array<ArrayBuffer>): void {
    this.#silence = 0;
    this.#allowance -= bytes.length;
    if (this.#allowance < 0) this.#expel(1009, "");
    if (this.#expelled) this.#discard(bytes.length);
    else this.look(bytes);
  }

  protected push(bytes: Uint8Array<ArrayBuffer>): number {
    return this.#reader.push(bytes);
  }

  /** A WebSocket is over when either side of its stream is. */
  protected inputEnded(): boolean {
    return false;
  }

  protected over(): void {
    this.terminate();
    this.#finish();
    this.#house.left(this);
  }

  #discard(bytes: number): void {
    this.#discarded += bytes;
    // Below zero: no more is read at all, and the deadline ends it.
    if (this.#discarded > MAX_DISCARDED_BYTES) this.#discarded = -Infinity;
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

  // The end.

  #sayGoodbye(code: number, reason: string): void {
    this.#readyState = READY_STATE.closing;
    this.#writer.frame(OPCODE.close, closePayload(code, reason));
    this.hold(false);
    // The peer's own close frame must be read, whatever the owner thinks of its messages.
    this.resume();
  }

  /** Says why, looks at nothing more, and drops the connection when it is still there after a while. */
  #expel(code: number, reason: string): void {
    if (this.#expelled) return;
    if (this.#readyState !== READY_STATE.open) return this.terminate();
    this.#expelled = true;
    this.#sayGoodbye(code, reason);
    this.dropAfter(EXPEL_TIMEOUT_MS);
  }

  #finish(): void {
    this.#readyState = READY_STATE.closed;
    const { code, reason } = this.#goodbye ?? { code: VANISHED, reason: "" };
    const listener = this.#listener;
    this.#listener = undefined;
    try {
      listener?.closed(code, reason);
    } catch (error) {
      this.#fail(error);
    }
    const wasClean = this.#goodbye !== undefined;
    this.#emit("close", { data: undefined, code, reason, wasClean });
  }

  #emit(type: SocketEvent, note: MessageNote & CloseNote): void {
    if (!this.#hasWebListener && this.onclose === null && this.onopen === null) return;
    try {
      this.#handlerOf(type)?.(note);
      const listeners = this.#listeners?.get(type);
      if (listeners !== undefined) { for (const listener of listeners) listener(note); }
    } catch (error) {
      this.#fail(error);
    }
  }

  #handlerOf(type: SocketEvent): SocketListener | null {
    switch (type) {
      case "message":
        return this.#onmessage;
      case "close":
        return this.onclose;
      case "open":
        return this.onopen;
      case "error":
        return this.onerror;
    }
  }

  #hand(message: string | Uint8Array): void {
    try {
      this.#listener?.message(message);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The owner has a defect, which costs this connection. */
  #fail(error: unknown): void {
    this.#house.failed(error);
    this.close(1011, "internal error");
  }

  // Writing.

  protected get turns(): WriteTurns {
    return this.#house.turns;
  }

  protected get waiting(): number {
    return this.#writer.length;
  }

  protected take(): Segment | undefined {
    return this.#writer.take();
  }

  protected release(segment: Segment): void {
    this.#writer.release(segment);
  }

  protected caughtUp(): void {
    try {
      this.#listener?.drained();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** All is said: the server ends the connection first (RFC 6455, section 7.1.1), or waits for the peer's word. */
  protected emptied(): void {
    if (this.#readyState === READY_STATE.open) return;
    if (this.#goodbye !== undefined) this.terminate();
    else if (this.#expelled && !this.#hungUp) {
      this.#hungUp = true;
      this.stream.closeWrite().catch(() => this.terminate());
    }
  }
}

const NOTHING = new Uint8Array(0);

/** What an event that is no close carries. */
function noteOf(data: unknown): MessageNote & CloseNote {
  return { data, code: NO_CODE, reason: "", wasClean: false };
}

function exactBuffer(bytes: Uint8Array<ArrayBuffer>): ArrayBuffer {
  const { buffer, byteOffset, length } = bytes;
  return length === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + length);
}
