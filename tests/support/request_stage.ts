/** HTTP over a byte stream in memory or a socket on loopback, with waits that are short enough for a test. */

import {
  type RequestHouse,
  RequestStream,
  type RequestTimes,
} from "../../src/adapters/request_stream.ts";
import { TurnBudget } from "../../src/adapters/turn_budget.ts";
import type { Serve } from "../../src/core/serve.ts";
import { FakeStream } from "./fake_stream.ts";
import { bytesOf, textOf } from "./http_delivery.ts";

/** Waits that no test reaches. */
export const PATIENT: RequestTimes = {
  head: 60_000,
  keepAlive: 59_000,
  stall: 60_000,
  linger: 60_000,
};

/** One connection that is served until the test ends. */
export class RequestStage implements AsyncDisposable {
  readonly stream = new FakeStream();
  readonly failures: unknown[] = [];
  readonly requests: RequestStream;
  /** Requests that reached the routes. */
  heads = 0;
  readonly #budget = new TurnBudget();
  readonly #run: ReturnType<RequestStream["run"]>;

  constructor(serve: Serve, options: Partial<RequestHouse> = {}) {
    const house: RequestHouse = {
      serve: (request, arrival) => {
        this.heads++;
        return serve(request, arrival);
      },
      maxBodyBytes: 1_000,
      failed: (error) => this.failures.push(error),
      times: PATIENT,
      budget: this.#budget,
      ...options,
    };
    const arrival = { remoteAddress: "192.0.2.1", secure: false };
    this.requests = new RequestStream(this.stream, { house, arrival });
    this.#run = this.requests.run();
  }

  /** The client sends text whose characters are bytes. */
  send(...texts: readonly string[]): void {
    this.stream.feed(...texts.map(bytesOf));
  }

  /** What the client got so far. */
  get got(): string {
    return textOf(this.stream.written);
  }

  /** Resolves when the connection is over, or a WebSocket. */
  over(): ReturnType<RequestStream["run"]> {
    return this.#run;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.requests.close();
    await this.#run;
  }
}
