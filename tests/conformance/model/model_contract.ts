/** What every adapter of the model port must do, whichever model is behind it. */

import assert from "node:assert/strict";
import {
  ModelError,
  type ModelMessage,
  type ModelPart,
  type ModelPort,
} from "../../../src/ports/model.ts";

/** A model under test. It must answer `count to 20` by those numbers in several parts. */
export interface ModelUnderTest {
  readonly port: ModelPort;
  /** `provider/id` to ask. */
  readonly model: string;
}

const COUNT_TO_20 = Array.from({ length: 20 }, (_, index) => index + 1).join(" ");

/** Registers the tests of the contract. */
export function modelContract(name: string, open: () => ModelUnderTest): void {
  function holds(what: string, run: (under: ModelUnderTest) => Promise<void>): void {
    Deno.test(`${name}: ${what}`, () => run(open()));
  }

  holds("an answer is several texts and then one end", async (under) => {
    const parts = await collect(under, [user("count to 20")]);
    const texts = parts.filter((part) => part.type === "text");
    assert.ok(texts.length >= 5, `only ${texts.length} parts`);
    assert.equal(textOf(parts), COUNT_TO_20);
    assert.equal(parts.findIndex((part) => part.type === "end"), parts.length - 1);
    const end = parts.at(-1);
    assert.ok(end?.type === "end");
    assert.equal(end.stopReason, "stop");
  });

  holds("usage is reported and adds up", async (under) => {
    const end = (await collect(under, [user("count to 20")])).at(-1);
    assert.ok(end?.type === "end" && end.usage !== undefined);
    const { input, output, cacheRead, cacheWrite, total } = end.usage;
    assert.ok(input > 0 && output > 0);
    assert.equal(total, input + output + cacheRead + cacheWrite);
  });

  holds("the earlier turns of the conversation are heard", async (under) => {
    const told = [user("My name is John"), { role: "assistant" as const, text: "Hello, John." }];
    assert.match(textOf(await collect(under, [...told, user("What is my name?")])), /John/);
    assert.doesNotMatch(textOf(await collect(under, [user("What is my name?")])), /John/);
  });

  holds("an aborted signal keeps it from starting", async (under) => {
    const reason = new Error("not wanted");
    await assert.rejects(
      collect(under, [user("count to 20")], AbortSignal.abort(reason)),
      (thrown) => thrown === reason,
    );
  });

  holds("an abort ends the answer with the signal's reason", async (under) => {
    const control = new AbortController();
    const reason = new Error("stopped by the user");
    const parts: ModelPart[] = [];
    await assert.rejects(async () => {
      for await (const part of ask(under, [user("count to 20")], control.signal)) {
        parts.push(part);
        if (parts.length === 3) control.abort(reason);
      }
    }, (thrown) => thrown === reason);
    assert.equal(parts.length, 3);
  });

  holds("a reader that stops early leaves nothing behind", async (under) => {
    for await (const part of ask(under, [user("count to 20")], new AbortController().signal)) {
      if (part.type === "text") break;
    }
  });

  holds("answers at the same time do not mix", async (under) => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => collect(under, [user("count to 20")])),
    );
    for (const parts of answers) assert.equal(textOf(parts), COUNT_TO_20);
  });

  holds("the model that is asked is listed under its provider", (under) => {
    const names = under.port.list().map((info) => `${info.provider}/${info.id}`);
    assert.ok(names.includes(under.model));
    return Promise.resolve();
  });

  holds("a model that is not there is an error that names it", async (under) => {
    const missing = { ...under, model: "nobody/nothing" };
    await assert.rejects(collect(missing, [user("count to 20")]), (thrown) => {
      assert.ok(thrown instanceof ModelError);
      assert.match(thrown.message, /"nobody\/nothing"/);
      return true;
    });
  });
}

/** All parts of one answer. */
export async function collect(
  under: { readonly port: ModelPort; readonly model: string },
  messages: readonly ModelMessage[],
  signal: AbortSignal = new AbortController().signal,
): Promise<ModelPart[]> {
  return await Array.fromAsync(ask(under, messages, signal));
}

/** The text of an answer. */
export function textOf(parts: readonly ModelPart[]): string {
  return parts.map((part) => part.type === "text" ? part.text : "").join("");
}

/** A user's turn. */
export function user(text: string): ModelMessage {
  return { role: "user", text };
}

function ask(
  under: { readonly port: ModelPort; readonly model: string },
  messages: readonly ModelMessage[],
  signal: AbortSignal,
): AsyncIterable<ModelPart> {
  return under.port.stream({ model: under.model, messages }, signal);
}
