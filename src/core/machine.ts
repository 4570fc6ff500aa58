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

/** What happened to a connection. */
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
  | { readonly type: "timer"; readonly timer: string }
  /** The link is gone; only effects that reach beyond the connection still matter. */
  | { readonly type: "close"; readonly code: number };

/** How a call ended. `close`: it ends the connection, after `error` was sent where there is one. */
export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | {
    readonly ok: false;
    readonly error?: GatewayError;
    readonly close?: { readonly code: number; readonly reason: string };
  };

/** What a machine wants done. Effects are done in order. */
export type Effect<T extends WireTypes> =
  | { readonly type: "send"; readonly frame: T["Out"] }
  | { readonly type: "call"; readonly call: T["Call"] }
  /** Aborts the signal of every call of this connection that is still running. */
  | { readonly type: "cancel" }
  /** Starts a timer, or starts it anew where one of that name runs. */
  | { readonly type: "arm"; readonly timer: string; readonly delayMs: number }
  | { readonly type: "disarm"; readonly timer: string }
  | { readonly type: "subscribe"; readonly topic: T["Topic"] }
  | { readonly type: "unsubscribe" }
  | { readonly type: "close"; readonly code: number; readonly reason: string };

/** The next state, and what to do. */
export type Step<T extends WireTypes> = readonly [T["State"], readonly Effect<T>[]];

/** The logic of one connection. */
export interface Machine<T extends WireTypes> {
  /** The state of a connection that was just accepted, and what to do first. */
  open(): Step<T>;
  step(state: T["State"], input: Input<T>): Step<T>;
}
