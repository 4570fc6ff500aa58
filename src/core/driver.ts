/**
 * Runs a machine on a link: the only effectful code on a connection's path, shared by every wire.
 * Everything that belongs to the connection (calls, timers, subscription) ends with it, here.
 */

import { Disconnect, toGatewayError } from "./error.ts";
import { type Link, MAX_CLOSE_REASON_BYTES, type Outgoing } from "./link.ts";
import type { Effect, Input, Machine, Outcome, WireTypes } from "./machine.ts";
import { type Delivery, LINK_HIGH_WATER_BYTES, Outbox, type OutboxOwner } from "./outbox.ts";
import { cutToBytes } from "./quote.ts";

/** Runs `task` after `delayMs`; the returned function takes it back. */
export type Schedule = (delayMs: number, task: () => void) => () => void;

/** What a running call may use of its connection. */
export interface CallScope<Value = unknown> {
  /** Aborted when the connection closes. */
  readonly signal: AbortSignal;
  /** Answers now with a value while the call goes on. */
  interim(value: Value): void;
  /** Runs `task` once the last answer was handed to the link, or the link is gone; not if the call failed. */
  afterAnswer(task: () => void): void;
}

/** All that a wire brings to a connection. */
export interface Wire<T extends WireTypes> {
  readonly machine: Machine<T>;
  decode(data: string | Uint8Array): T["Frame"];
  encode(frame: T["Out"], sequence: number): Outgoing;
  delivery(frame: T["Out"]): Delivery;
  /** Does a call; may answer at once or later, may throw what `core/error.ts` defines. */
  call(call: T["Call"], scope: CallScope<T["Value"]>): T["Value"] | Promise<T["Value"]>;
  subscribe(topic: T["Topic"], listener: (event: T["Event"]) => void): () => void;
  /** Tells that a defect ended the connection; never throws. */
  defect(error: unknown): void;
  /** Told once, when the connection is over: the last sequence number taken. */
  ended?(summary: { readonly sequence: number; readonly code: number }): void;
}

/** How long a peer that is behind may take next to nothing, in milliseconds, before it is closed. */
export const STALL_DEADLINE_MS = 8_000;

/**
 * Time between two looks at such a peer, in milliseconds, by which it may stay longer: what the operating system
 * took for it at first is seen with the first look and starts the time anew.
 */
export const STALL_LOOK_MS = 500;

/** Bytes that are next to nothing in that time: the slowest modem takes more. */
const STALL_BYTES = 4 * 1024;

/** How long such a peer, which reads no close frame either, stays after it was sent, in milliseconds. */
export const SLOW_CLOSE_MS = 1_000;

/** Starts serving `link` with `wire`. Returns a way to look at the connection and to end it. */
export function drive<T extends WireTypes>(
  wire: Wire<T>,
  options: { link: Link; schedule: Schedule; maxBufferedBytes: number },
): Connection<T["Event"]> {
  const driver = new Driver(wire, options);
  options.link.attach(driver);
  driver.start();
  return driver;
}

/** A connection that is being driven. */
export interface Connection<Event> {
  /** Gives the machine an event as if its subscription had. */
  deliver(event: Event): void;
  /** Closes with a code and a reason, as the machine's own `close` effect does. */
  close(code: number, reason: string): void;
}

class Driver<T extends WireTypes> implements Connection<T["Event"]>, OutboxOwner<T["Out"]> {
  readonly #wire: Wire<T>;
  readonly #link: Link;
  readonly #schedule: Schedule;
  readonly #outbox: Outbox<T["Out"]>;
  /** Made when the first timer is armed, and given up with the last: most connections rest without any. */
  #timers: Map<string, () => void> | undefined;
  /** What waits for its turn; undefined while nothing does. */
  #inputs: { input: Input<T>; then?: () => void }[] | undefined;
  #state: T["State"];
  #firstEffects: readonly Effect<T>[] | undefined;
  #unsubscribe: (() => void) | undefined;
  #abort: AbortController | undefined;
  #stall: (() => void) | undefined;
  /** Takes back the end of a peer that was given up. */
  #deadline: (() => void) | undefined;
  #busy = false;
  #paused = false;
  /** The peer asks for nothing more. */
  #finished = false;
  /** Calls that have not answered yet. */
  #running = 0;
  #phase: "open" | "closing" | "closed" = "open";

  constructor(
    wire: Wire<T>,
    options: { link: Link; schedule: Schedule; maxBufferedBytes: number },
  ) {
    this.#wire = wire;
    this.#link = options.link;
    this.#schedule = options.schedule;
    this.#outbox = new Outbox(options.link, { owner: this, maxBytes: options.maxBufferedBytes });
    [this.#state, this.#firstEffects] = wire.machine.open();
  }

  start(): void {
    const effects = this.#firstEffects;
    this.#firstEffects = undefined;
    if (effects !== undefined) this.#guard(() => this.#perform(effects));
  }

  // What the outbox asks and tells.

  encode(frame: T["Out"], sequence: number): Outgoing {
    return this.#wire.encode(frame, sequence);
  }

  overflowed(): void {
    this.#giveUp();
  }

  // What the link tells.

  message(data: string | Uint8Array): void {
    if (this.#phase !== "open") return;
    this.#guard(() => this.#feed({ type: "frame", frame: this.#wire.decode(data) }));
  }

  drained(): void {
    this.#outbox.drain();
    this.#balance();
    this.#leaveIfDone();
  }

  finished(): void {
    this.#finished = true;
    this.#leaveIfDone();
  }

  closed(code: number): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#deadline?.();
    this.#release();
    this.#wire.ended?.({ sequence: this.#outbox.sequence, code });
  }

  // What the owner of the connection asks.

  deliver(event: T["Event"]): void {
    if (this.#phase === "open") this.#guard(() => this.#feed({ type: "event", event }));
  }

  close(code: number, reason: string): void {
    if (this.#phase !== "open") return;
    this.#phase = "closing";
    this.#outbox.drain();
    this.#outbox.close();
    this.#link.close(code, cutToBytes(reason, MAX_CLOSE_REASON_BYTES));
    this.#release();
    if (this.#paused) this.#link.resume();
  }

  // Inputs are taken one at a time: what an effect causes at once waits for its turn.

  #feed(input: Input<T>, then?: () => void): void {
    if (this.#busy) {
      (this.#inputs ??= []).push({ input, then });
      return;
    }
    this.#busy = true;
    try {
      this.#take(input, then);
      for (let next = this.#inputs?.shift(); next !== undefined; next = this.#inputs?.shift()) {
        this.#take(next.input, next.then);
      }
    } finally {
      this.#busy = false;
      // After a defect what was promised is still done.
      const left = this.#inputs;
      this.#inputs = undefined;
      for (const { then } of left ?? []) then?.();
    }
    this.#leaveIfDone();
  }

  /** Once it closes nothing is told to the machine any more, but what was promised is done in any case. */
  #take(input: Input<T>, then?: () => void): void {
    try {
      if (this.#phase === "open") this.#advance(input);
    } finally {
      then?.();
    }
  }

  #advance(input: Input<T>): void {
    const step = this.#wire.machine.step(this.#state, input);
    this.#state = step[0];
    this.#perform(step[1]);
  }

  #perform(effects: readonly Effect<T>[]): void {
    for (const effect of effects) {
      // A peer that takes no more ends the connection within a step.
      if (this.#phase !== "open") return;
      switch (effect.type) {
        case "send":
          this.#outbox.send(effect.frame, this.#wire.delivery(effect.frame));
          this.#balance();
          break;
        case "call":
          this.#call(effect.call);
          break;
        case "arm":
          this.#arm(effect.timer, effect.delayMs);
          break;
        case "disarm":
          this.#disarm(effect.timer);
          break;
        case "subscribe":
          this.#unsubscribe?.();
          this.#unsubscribe = this.#wire.subscribe(effect.topic, (event) => this.deliver(event));
          break;
        case "close":
          this.close(effect.code, effect.reason);
          break;
      }
    }
  }

  #call(call: T["Call"]): void {
    const tasks: (() => void)[] = [];
    this.#running++;
    const settle = (outcome: Outcome<T["Value"]>): void => {
      this.#running--;
      const then = outcome.ok && tasks.length > 0
        ? () => tasks.forEach((task) => task())
        : undefined;
      if (this.#phase === "open") {
        this.#guard(() => this.#feed({ type: "result", call, outcome, last: true }, then));
      } else then?.();
    };
    const scope = new LazyCallScope<T["Value"]>({
      signal: () => this.#signal(),
      interim: (value) => {
        if (this.#phase !== "open") return;
        this.#guard(() =>
          this.#feed({ type: "result", call, outcome: { ok: true, value }, last: false })
        );
      },
      tasks,
    });
    let answer: T["Value"] | Promise<T["Value"]>;
    try {
      answer = this.#wire.call(call, scope);
    } catch (thrown) {
      return settle(this.#failure(thrown));
    }
    if (answer instanceof Promise) {
      answer.then(
        (value) => settle({ ok: true, value }),
        (thrown) => settle(this.#failure(thrown)),
      );
    } else {
      settle({ ok: true, value: answer });
    }
  }

  /** Aborted with the connection, also for a call that looks at it only then. */
  #signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#phase !== "open") this.#abort.abort();
    return this.#abort.signal;
  }

  #failure(thrown: unknown): Outcome<T["Value"]> {
    if (thrown instanceof Disconnect) {
      const close = { code: thrown.code, reason: thrown.reason };
      return { ok: false, error: thrown.answer, close };
    }
    const error = toGatewayError(thrown);
    if (error !== thrown) this.#wire.defect(thrown);
    return { ok: false, error };
  }

  #arm(timer: string, delayMs: number): void {
    this.#disarm(timer);
    const cancel = this.#schedule(delayMs, () => {
      this.#forget(timer);
      if (this.#phase === "open") this.#guard(() => this.#feed({ type: "timer", timer }));
    });
    (this.#timers ??= new Map()).set(timer, cancel);
  }

  #disarm(timer: string): void {
    this.#timers?.get(timer)?.();
    this.#forget(timer);
  }

  #forget(timer: string): void {
    this.#timers?.delete(timer);
    if (this.#timers?.size === 0) this.#timers = undefined;
  }

  /** Reads from the peer only while what it caused can be sent back to it. */
  #balance(): void {
    const behind = this.#outbox.buffered > 2 * LINK_HIGH_WATER_BYTES;
    if (behind === this.#paused || this.#phase !== "open") return;
    this.#paused = behind;
    if (behind) {
      this.#link.pause();
      this.#watchStall();
    } else {
      this.#link.resume();
      this.#stall?.();
    }
  }

  /** A peer that takes next to nothing for a while is gone or means harm; what waits for it is given up. */
  #watchStall(before: number = this.#outbox.taken, waitedMs: number = 0): void {
    this.#stall = this.#schedule(STALL_LOOK_MS, () => {
      if (!this.#paused || this.#phase !== "open") return;
      const waited = waitedMs + STALL_LOOK_MS;
      const { taken } = this.#outbox;
      // A link that counts characters until they are bytes may seem to have given less than before.
      if (taken >= before + STALL_BYTES) this.#watchStall();
      else if (waited < STALL_DEADLINE_MS) this.#watchStall(Math.min(before, taken), waited);
      else this.#giveUp();
    });
  }

  /** A peer that asks for nothing more is let go when all it asked for was sent. */
  #leaveIfDone(): void {
    if (!this.#finished || this.#running > 0 || this.#busy) return;
    if (this.#outbox.buffered <= this.#link.buffered) this.close(1000, "");
  }

  /** Closes to a peer that does not read, and does not wait long for it to read that. */
  #giveUp(): void {
    if (this.#phase !== "open") return;
    this.close(1008, "slow consumer");
    this.#deadline = this.#schedule(SLOW_CLOSE_MS, () => this.#link.terminate());
  }

  #release(): void {
    for (const cancel of this.#timers?.values() ?? []) cancel();
    this.#timers = undefined;
    this.#stall?.();
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#abort?.abort();
    this.#abort = undefined;
    this.#outbox.close();
  }

  /** A defect in a machine or codec ends its own connection and nothing else. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#wire.defect(error);
      this.close(1011, "internal error");
    }
  }
}

/** Makes an AbortController only for the calls that look at their signal. */
class LazyCallScope<Value> implements CallScope<Value> {
  readonly #parts: {
    signal: () => AbortSignal;
    interim: (value: Value) => void;
    tasks: (() => void)[];
  };

  constructor(
    parts: {
      signal: () => AbortSignal;
      interim: (value: Value) => void;
      tasks: (() => void)[];
    },
  ) {
    this.#parts = parts;
  }

  get signal(): AbortSignal {
    return this.#parts.signal();
  }

  interim(value: Value): void {
    this.#parts.interim(value);
  }

  afterAnswer(task: () => void): void {
    this.#parts.tasks.push(task);
  }
}
