/** A model whose answers a test gives part by part. */

import type {
  ModelInfo,
  ModelPart,
  ModelPort,
  ModelRequest,
  ModelUsage,
} from "../../src/ports/model.ts";

/** One question, and the way to answer it. */
export class ScriptedCall {
  readonly request: ModelRequest;
  readonly signal: AbortSignal;
  /** The one who asked stopped reading. */
  returned = false;
  readonly #ready: (ModelPart | { readonly thrown: unknown } | "done")[] = [];
  #wake: () => void = () => {};
  /** Whether it goes on waiting when its signal is aborted, as a broken adapter would. */
  readonly #deaf: boolean;

  constructor(request: ModelRequest, { signal, deaf }: { signal: AbortSignal; deaf: boolean }) {
    this.request = request;
    this.signal = signal;
    this.#deaf = deaf;
    signal.addEventListener("abort", () => this.#wake(), { once: true });
  }

  /** Gives parts of the text. */
  text(...texts: readonly string[]): this {
    for (const text of texts) this.#give({ type: "text", text });
    return this;
  }

  reasoning(text: string): this {
    return this.#give({ type: "reasoning", text });
  }

  /** Ends the answer as a model does. */
  end(usage?: ModelUsage, stopReason = "stop"): this {
    return this.#give({ type: "end", stopReason, usage });
  }

  fail(thrown: unknown): this {
    return this.#give({ thrown });
  }

  /** Ends the stream without an `end` part. */
  breakOff(): this {
    return this.#give("done");
  }

  #give(item: ModelPart | { readonly thrown: unknown } | "done"): this {
    this.#ready.push(item);
    this.#wake();
    return this;
  }

  async *parts(): AsyncGenerator<ModelPart, void> {
    try {
      for (;;) {
        const item = this.#ready.shift();
        if (item === undefined) {
          if (!this.#deaf) this.signal.throwIfAborted();
          await new Promise<void>((resolve) => this.#wake = resolve);
        } else if (item === "done") return;
        else if ("thrown" in item) throw item.thrown;
        else yield item;
      }
    } finally {
      this.returned = true;
    }
  }
}

/** Lists the models it is given; collects what it is asked. */
export class ScriptedModel implements ModelPort {
  readonly calls: ScriptedCall[] = [];
  models: readonly ModelInfo[];
  deaf = false;

  constructor(
    models: readonly ModelInfo[] = [
      { id: "one", name: "One", provider: "fake", contextWindow: 100_000 },
      { id: "two", name: "Two", provider: "fake" },
    ],
  ) {
    this.models = models;
  }

  list(): readonly ModelInfo[] {
    return this.models;
  }

  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelPart> {
    const call = new ScriptedCall(request, { signal, deaf: this.deaf });
    this.calls.push(call);
    return call.parts();
  }

  /** The call at this place, from 0; a test that runs ahead of the model fails here. */
  call(at: number = this.calls.length - 1): ScriptedCall {
    const call = this.calls[at];
    if (call === undefined) throw new Error(`the model was asked ${this.calls.length} times only`);
    return call;
  }
}
