import assert from "node:assert/strict";
import type { FixtureFileEntry, FixtureFileResponse } from "@copilotkit/aimock";
import type { ProviderApi, ProviderOptions } from "../../../src/adapters/provider_endpoint.ts";
import { MAX_RETRIES, providerModel } from "../../../src/adapters/provider_model.ts";
import { ModelError, type ModelPart, type ModelRequest } from "../../../src/ports/model.ts";
import { FakeProvider, type SeenRequest } from "../../conformance/model/fake_provider.ts";
import { SteppingClock } from "../../conformance/model/stepping_clock.ts";

const KEY = "sk-test-0123456789abcdef";
/** Statuses that asking again does not mend, and the message that gets them. */
const REFUSALS = [[400, "bad"], [401, "unknown"], [404, "absent"]] as const;
/** Statuses that may pass. */
const TROUBLES = [[429, "limited"], [500, "broken"], [503, "busy"]] as const;
const USAGE = {
  prompt_tokens: 11,
  completion_tokens: 7,
  total_tokens: 18,
  input_tokens: 11,
  output_tokens: 7,
};

const server = new FakeProvider([
  answer("greet", { content: "Hello there, John Smith!", usage: USAGE }),
  answer("ponder", { content: "42", reasoning: "six times seven", usage: USAGE }),
  answer("too long", { content: "cut of", finishReason: "length", usage: USAGE }),
  { ...answer("slowly", { content: "0123456789".repeat(20) }), latency: 20 },
  ...REFUSALS.map(([status, text]) =>
    answer(text, { error: { message: `no such key ${KEY}\nreally` }, status })
  ),
  ...TROUBLES.map(([status, text]) => answer(text, { error: { message: "try later" }, status })),
  ...[0, 2].flatMap((sequenceIndex) => [
    {
      match: { userMessage: "second try", sequenceIndex },
      response: { error: { message: "try later" }, status: 503 },
    },
    {
      match: { userMessage: "second try", sequenceIndex: sequenceIndex + 1 },
      response: { content: "made it" },
    },
  ]),
]);
Deno.test.beforeAll(() => server.start());
Deno.test.afterAll(() => server.stop());

async function lastRequest(): Promise<SeenRequest> {
  const last = (await server.requests()).at(-1);
  assert.ok(last !== undefined, "no request came");
  return last;
}

function answer(userMessage: string, response: FixtureFileResponse): FixtureFileEntry {
  return { match: { userMessage }, response };
}

providerTests("openai-completions");
providerTests("anthropic-messages");

function providerTests(api: ProviderApi): void {
  const options = (): ProviderOptions => ({
    id: "fake",
    api,
    baseUrl: api === "openai-completions" ? `${server.url}/v1/` : server.url,
    apiKey: KEY,
    headers: { "X-Team": "team-secret" },
    models: [{ id: "plain", maxTokens: 500 }, { id: "thinker", reasoning: true }],
  });
  const clock = new SteppingClock();

  function test(name: string, fn: () => Promise<void>): void {
    Deno.test(`${api}: ${name}`, fn);
  }

  function ask(
    request: Partial<ModelRequest> & { text?: string },
    signal = new AbortController().signal,
  ): AsyncIterable<ModelPart> {
    return providerModel(options(), { clock, settingsFile: () => "own.yaml" }).stream({
      model: "fake/plain",
      messages: [{ role: "user", text: request.text ?? "greet" }],
      ...request,
    }, signal);
  }

  async function refusal(request: Parameters<typeof ask>[0]): Promise<ModelError> {
    try {
      await Array.fromAsync(ask(request));
    } catch (thrown) {
      assert.ok(thrown instanceof ModelError, String(thrown));
      return thrown;
    }
    return assert.fail("it answered");
  }

  test("text streams in order and ends with the usage", async () => {
    const parts = await Array.fromAsync(ask({}));
    const texts = parts.slice(0, -1).map((part) => part.type === "text" ? part.text : "");
    assert.ok(texts.length >= 3);
    assert.equal(texts.join(""), "Hello there, John Smith!");
    assert.deepEqual(parts.at(-1), {
      type: "end",
      stopReason: "stop",
      usage: { input: 11, output: 7, cacheRead: 0, cacheWrite: 0, total: 18 },
    });
  });

  test("reasoning comes as reasoning, before the text", async () => {
    const parts = await Array.fromAsync(ask({ text: "ponder", model: "fake/thinker" }));
    const kinds = parts.map((part) => part.type);
    assert.equal(
      parts.map((part) => part.type === "reasoning" ? part.text : "").join(""),
      "six times seven",
    );
    assert.ok(kinds.lastIndexOf("reasoning") < kinds.indexOf("text"));
  });

  test("an answer cut at its token limit says so", async () => {
    const end = (await Array.fromAsync(ask({ text: "too long" }))).at(-1);
    assert.ok(end?.type === "end");
    assert.equal(end.stopReason, "length");
  });

  test("the request carries the conversation, the system text, the limit and the key", async () => {
    await server.clear();
    await Array.fromAsync(ask({
      system: "be brief",
      messages: [
        { role: "user", text: "first" },
        { role: "assistant", text: "" },
        { role: "assistant", text: "second" },
        { role: "user", text: "greet" },
      ],
    }));
    const sent = await lastRequest();
    assert.equal(sent.headers["x-team"], "team-secret");
    const body = JSON.stringify(sent.body);
    assert.match(body, /be brief.*first.*second.*greet/);
    assert.equal(body.match(/"role":"assistant"/g)?.length, 1);
    assert.equal(sent.body.max_tokens, 500);
    if (api === "openai-completions") assert.equal(sent.path, "/v1/chat/completions");
    else assert.equal(sent.path, "/v1/messages");
  });

  test("a picture that is an address, or no picture, is refused without a request", async () => {
    await server.clear();
    const picture = { mimeType: "image/png", base64: btoa("pixels") };
    for (
      const wrong of [
        { ...picture, base64: `${server.url}/secret` },
        { ...picture, base64: `data:image/png;base64,${picture.base64}` },
        { ...picture, mimeType: "text/html" },
      ]
    ) {
      const messages = [{ role: "user" as const, text: "greet", images: [wrong] }];
      assert.match((await refusal({ messages })).message, /picture that is not base64/);
    }
    assert.equal((await server.requests()).length, 0);
  });

  test("a conversation without a user's last word is refused without a request", async () => {
    await server.clear();
    for (const messages of [[], [{ role: "user" as const, text: "  " }]]) {
      assert.match((await refusal({ messages })).message, /^fake\/plain was sent a conversation/);
    }
    assert.equal((await server.requests()).length, 0);
  });

  test("an abort in the middle ends the answer and the request", async () => {
    const control = new AbortController();
    const reason = new Error("stopped");
    let seen = 0;
    await assert.rejects(async () => {
      for await (const part of ask({ text: "slowly" }, control.signal)) {
        assert.equal(part.type, "text");
        if (++seen === 2) control.abort(reason);
      }
    }, (thrown) => thrown === reason);
    assert.equal(seen, 2);
    assert.deepEqual(clock.pending, []);
  });

  for (const [status, text] of REFUSALS) {
    test(`a ${status} is asked once and explained without the key`, async () => {
      await server.clear();
      const error = await refusal({ text });
      assert.equal((await server.requests()).length, 1);
      assert.equal(error.status, status);
      assert.equal(error.retryable, false);
      assert.match(
        error.message,
        new RegExp(
          `^fake/plain answered ${status} \\("no such key \\*\\*\\*\\\\u\\{a\\}really"\\): check .*own\\.yaml`,
        ),
      );
      assert.ok(!error.message.includes(KEY));
    });
  }

  for (const [status, text] of TROUBLES) {
    test(`a ${status} is asked again ${MAX_RETRIES} times`, async () => {
      await server.clear();
      clock.waits.length = 0;
      const error = await refusal({ text });
      assert.equal((await server.requests()).length, 1 + MAX_RETRIES);
      assert.equal(clock.waits.length, MAX_RETRIES);
      assert.equal(error.status, status);
      assert.equal(error.retryable, true);
      assert.match(error.message, /\("try later"\): .*send the message again/);
    });
  }

  test("what succeeds at the second try is answered", async () => {
    const parts = await Array.fromAsync(ask({ text: "second try" }));
    assert.equal(
      parts.map((part) => part.type === "text" ? part.text : "").join(""),
      "made it",
    );
  });
}

Deno.test("a thinking level is sent to models that think, and to no others", async () => {
  async function body(api: ProviderApi, asked: { model: string; thinking?: string }) {
    await server.clear();
    const options: ProviderOptions = {
      id: "fake",
      api,
      baseUrl: `${server.url}/v1`,
      models: [{ id: "plain" }, { id: "thinker", reasoning: true }],
    };
    await Array.fromAsync(
      providerModel(options, { clock: new SteppingClock() }).stream(
        { ...asked, messages: [{ role: "user", text: "greet" }] },
        new AbortController().signal,
      ),
    );
    return (await lastRequest()).body;
  }
  const openai = "openai-completions";
  assert.equal(
    (await body(openai, { model: "fake/thinker", thinking: "low" })).reasoning_effort,
    "low",
  );
  for (
    const asked of [
      { model: "fake/thinker", thinking: "off" },
      { model: "fake/thinker" },
      { model: "fake/thinker", thinking: "strange" },
      { model: "fake/plain", thinking: "high" },
    ]
  ) assert.equal((await body(openai, asked)).reasoning_effort, undefined);
});
