/**
 * The fake provider server, in a thread of its own: its timers and connections are then no leaks of
 * the test that speaks to it.
 */

import type { FixtureFileEntry } from "@copilotkit/aimock";

/** One request as the server saw it. */
export interface SeenRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Start it in `Deno.test.beforeAll`, stop it in `Deno.test.afterAll`. Texts come in chunks of 4 characters. */
export class FakeProvider {
  readonly #fixtures: readonly FixtureFileEntry[];
  #worker?: Worker;
  #url = "";

  constructor(fixtures: readonly FixtureFileEntry[]) {
    this.#fixtures = fixtures;
  }

  /** The address without a path. */
  get url(): string {
    return this.#url;
  }

  async start(): Promise<void> {
    const worker = new Worker(new URL("./fake_provider_worker.ts", import.meta.url), {
      type: "module",
    });
    this.#worker = worker;
    const started = Promise.withResolvers<string>();
    worker.onmessage = (event: MessageEvent<string>) => started.resolve(event.data);
    worker.onerror = (event) => started.reject(new Error(event.message));
    worker.postMessage(this.#fixtures);
    this.#url = await started.promise;
  }

  stop(): void {
    this.#worker?.terminate();
  }

  /** The requests since the last {@linkcode clear}, oldest first. */
  async requests(): Promise<readonly SeenRequest[]> {
    const response = await fetch(`${this.#url}/__aimock/journal`);
    return await response.json();
  }

  /** Forgets the requests. */
  async clear(): Promise<void> {
    const response = await fetch(`${this.#url}/__aimock/reset/journal`, { method: "POST" });
    await response.body?.cancel();
  }
}
