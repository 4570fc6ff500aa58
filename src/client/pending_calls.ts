/** The calls of one connection that wait for an answer, each until its deadline. */

import { quote } from "../core/quote.ts";
import { ConnectionFailed } from "./client_error.ts";
import type { After } from "./open_socket.ts";
import type { ServerFrame } from "./server_frame.ts";

/** What a gateway answers a call with. */
export type Answer = Extract<ServerFrame, { type: "answer" }>;

/** A call that was sent. */
export interface SentCall {
  readonly id: string;
  readonly method: string;
  /** How long the first answer may take, in milliseconds. */
  readonly timeoutMs: number;
  /** How long another one may take after that, in milliseconds. */
  readonly finishTimeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Who hears of a call. */
export interface CallListener {
  /** Returns whether another answer is expected under the same id. */
  readonly answered: (answer: Answer) => boolean;
  /** There is no answer, and there will be none. */
  readonly failed: (error: Error) => void;
}

interface Pending {
  readonly method: string;
  readonly answered: (answer: Answer) => void;
  readonly failed: (error: Error) => void;
}

/** Calls by id. Whoever adds one bounds their number by {@linkcode PendingCalls.size}. */
export class PendingCalls {
  readonly #after: After;
  readonly #calls = new Map<string, Pending>();

  constructor(after: After) {
    this.#after = after;
  }

  /** Calls that wait. */
  get size(): number {
    return this.#calls.size;
  }

  /** Waits for the answers to a call until there are all of them, its time is up or its signal aborts. */
  add({ id, method, signal, ...times }: SentCall, listener: CallListener): void {
    let stopTimer = () => {};
    const wait = (timeoutMs: number) => {
      stopTimer();
      stopTimer = this.#after(timeoutMs, () =>
        fail(
          new ConnectionFailed("timeout", `no answer to ${quote(method)} within ${timeoutMs} ms`),
        ));
    };
    const aborted = () => fail(new ConnectionFailed("aborted", `${quote(method)} was given up`));
    const done = () => {
      this.#calls.delete(id);
      stopTimer();
      signal?.removeEventListener("abort", aborted);
    };
    const fail = (error: Error) => {
      done();
      listener.failed(error);
    };
    this.#calls.set(id, {
      method,
      answered: (answer) => {
        if (listener.answered(answer)) wait(times.finishTimeoutMs);
        else done();
      },
      failed: fail,
    });
    signal?.addEventListener("abort", aborted);
    wait(times.timeoutMs);
  }

  /** Hands an answer to its call; one that nobody waits for is passed over. */
  answer(frame: Answer): void {
    this.#calls.get(frame.id)?.answered(frame);
  }

  /** Ends the call of this id, where there is one, as `why` says of its method. */
  fail(id: string, why: (method: string) => Error): void {
    const call = this.#calls.get(id);
    call?.failed(why(call.method));
  }

  /** Ends every call, as `why` says of its method. */
  failAll(why: (method: string) => Error): void {
    for (const id of [...this.#calls.keys()]) this.fail(id, why);
  }
}
