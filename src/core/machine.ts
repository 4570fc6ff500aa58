/**
 * A protocol as a value: `step(state, input)` gives the next state and what is to be done about it.
 * A machine holds no promise, clock, socket, store or id generator; the driver does what it asks.
 */

import type { GatewayError } from "./error.ts";

/** The types that a wire fixes: name them in one interface and give that to {@linkcode Machine}. */
export interface WireTypes {
  /** All that the machine remembers of a connection. */
  readonly State: unknown;
  /** What the codec makes of one incoming message. */
  readonly Frame: unknown;
  /** What the codec turns into one outgoing message. */
  readonly Out: unknown;
  /** Something to be done outside the machine that has an answer. */
  readonly Call: unknown;
  /** What calls answer with. */
  readonly Value: unknown;
  /** What a connection can subscribe to. */
  readonly Topic: unknown;
  /** What subscriptions deliver. */
  readonly Event: unknown;
}

/** What happened to a connection. Its end is none: nothing is told to a machine after that. */
export type Input<T extends WireTypes> =
  | { readonly type: "frame"; readonly frame: T["Frame"] }
  /** A call that the machine asked for has answered; more answers follow while `last` is false. */
  | {
    readonly type: "result";
    readonly call: T["Call"];
    readonly outcome: Outcome<T["Value"]>;
    readonly last: boolean;
  }
  | { readonly type: "event"; readonly event: T["Event"] }
  | { readonly type: "timer"; readonly timer: string };

/** The answer of a call, as its machine hears of it. */
export type Result<T extends WireTypes> = Extract<Input<T>, { readonly type: "result" }>;

/** How a call ended. */
export type Outcome<Value> = { readonly ok: true; readonly value: Value } | Failure;

/** A call that failed. `close`: it ends the connection, after `error` was sent where there is one. */
export interface Failure {
  readonly ok: false;
  readonly error?: GatewayError;
  readonly close?: { readonly code: number; readonly reason: string };
}

/** What a machine wants done. Effects are done in order; after a `close` there are none. */
export type Effect<T extends WireTypes> =
  | { readonly type: "send"; readonly frame: T["Out"] }
  | { readonly type: "call"; readonly call: T["Call"] }
  /** Starts a timer, or starts it anew where one of that name runs. */
  | { readonly type: "arm"; readonly timer: string; readonly delayMs: number }
  | { readonly type: "disarm"; readonly timer: string }
  /** In place of the subscription that there was. */
  | { readonly type: "subscribe"; readonly topic: T["Topic"] }
  | { readonly type: "close"; readonly code: number; readonly reason: string };

/** The next state, and what to do. */
export type Step<T extends WireTypes> = readonly [T["State"], readonly Effect<T>[]];

/** The logic of one connection. */
export interface Machine<T extends WireTypes> {
  /** The state of a connection that was just accepted, and what to do first. */
  open(): Step<T>;
  /** Not asked any more once the connection closes, whoever closes it. */
  step(state: T["State"], input: Input<T>): Step<T>;
}

/** What a machine does about each kind of input. */
export interface Reactions<T extends WireTypes> {
  open(): Step<T>;
  frame(state: T["State"], frame: T["Frame"]): Step<T>;
  result(state: T["State"], result: Result<T>): Step<T>;
  event(state: T["State"], event: T["Event"]): Step<T>;
  /** For a machine that arms timers. */
  timer?(state: T["State"], timer: string): Step<T>;
}

/** The machine that reacts so. */
export function machineOf<T extends WireTypes>(reactions: Reactions<T>): Machine<T> {
  return new ReactingMachine(reactions);
}

/** A class, as thousands of connections have one each and closures would take several times its room. */
class ReactingMachine<T extends WireTypes> implements Machine<T> {
  readonly #reactions: Reactions<T>;

  constructor(reactions: Reactions<T>) {
    this.#reactions = reactions;
  }

  open(): Step<T> {
    return this.#reactions.open();
  }

  step(state: T["State"], input: Input<T>): Step<T> {
    switch (input.type) {
      case "frame":
        return this.#reactions.frame(state, input.frame);
      case "result":
        return this.#reactions.result(state, input);
      case "event":
        return this.#reactions.event(state, input.event);
      case "timer":
        return this.#reactions.timer?.(state, input.timer) ?? [state, []];
    }
  }
}

/** `step`, then what `receive` makes of frames that waited for it: all of it as one step. */
export function catchUp<T extends WireTypes>(
  step: Step<T>,
  waiting: { readonly frames: readonly T["Frame"][]; readonly receive: Reactions<T>["frame"] },
): Step<T> {
  let [state] = step;
  const effects = [...step[1]];
  for (const frame of waiting.frames) {
    const [next, own] = waiting.receive(state, frame);
    state = next;
    effects.push(...own);
  }
  return [state, effects];
}

/** What a failed call asks for: `tell` its error where there is one, then the end where it is one. */
export function failing<T extends WireTypes>(
  { error, close }: Failure,
  tell: (error: GatewayError) => Effect<T>,
): readonly Effect<T>[] {
  return [
    ...(error === undefined ? [] : [tell(error)]),
    ...(close === undefined ? [] : [{ type: "close", ...close } as const]),
  ];
}

/** The same failure of a call without which a connection cannot go on: it ends in any case. */
export function ending({ error, close = INTERNAL_ERROR }: Failure): Failure {
  return { ok: false, error, close };
}

const INTERNAL_ERROR = { code: 1011, reason: "internal error" } as const;
