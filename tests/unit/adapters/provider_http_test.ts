import assert from "node:assert/strict";
import type { ProviderApi, ProviderOptions } from "../../../src/adapters/provider_endpoint.ts";
import {
  ANSWER_TIMEOUT_MS,
  FIRST_BYTE_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  MAX_EVENT_BYTES,
} from "../../../src/adapters/provider_http.ts";
import {
  MAX_ANSWER_CHARS,
  MAX_RETRIES,
  providerModel,
} from "../../../src/adapters/provider_model.ts";
import { ModelError, type ModelPart, type ModelRequest } from "../../../src/ports/model.ts";
import {
  chunk,
  CHUNKED_HEAD,
  type RawRequest,
  RawServer,
  response,
  STREAM_HEAD,
} from "../../conformance/model/raw_server.ts";
import { SteppingClock } from "../../conformance/model/stepping_clock.ts";
import { SAMPLE_KEY as KEY, WIRES } from "../../conformance/model/wire_samples.ts";

interface Scene {
  readonly server: RawServer;
  readonly clock: SteppingClock;
  ask(request?: Partial<ModelRequest>, signal?: AbortSignal): AsyncIterable<ModelPart>;
  refusal(): Promise<ModelError>;
}

providerTests("openai-completions");
providerTests("anthropic-messages");

function providerTests(api: ProviderApi): void {
  const wire = WIRES[api];

  function test(
    name: string,
    answer: (request: RawRequest) => Promise<void>,
    run: (scene: Scene) => Promise<void>,
    extra: Partial<ProviderOptions> = {},
  ): void {
    Deno.test(`${api}: ${name}`, async () => {
      await using server = new RawServer(answer);
      await run(sceneOf(server, { api, ...extra }));
    });
  }

  test(
    "a count of tokens that no answer can have counts as not sent",
    (request) =>
      request.write(
        STREAM_HEAD + wire.start + wire.delta("x") +
          wire.end.replace(/("(?:completion|output)_tokens"):5/, "$1:1e308"),
      ),
    async ({ ask }) => {
      const end = (await Array.fromAsync(ask())).at(-1);
      assert.ok(end?.type === "end");
      assert.deepEqual(end.usage, {
        input: 60,
        output: 0,
        cacheRead: 40,
        cacheWrite: 0,
        total: 100,
      });
    },
  );
  test(
    "a whole answer is passed on with what came from the cache",
    (request) => request.write(STREAM_HEAD + wire.start + wire.delta("héllo") + wire.end),
    async ({ ask, server }) => {
      assert.deepEqual(await Array.fromAsync(ask()), [
        { type: "text", text: "héllo" },
        {
          type: "end",
          stopReason: "stop",
          usage: { input: 60, output: 5, cacheRead: 40, cacheWrite: 0, total: 105 },
        },
      ]);
      const head = server.requests[0]?.head ?? "";
      const expected = api === "openai-completions"
        ? new RegExp(`^authorization: Bearer ${KEY}`, "im")
        : new RegExp(`^x-api-key: ${KEY}`, "im");
      assert.match(head, expected);
      assert.match(
        head,
        api === "openai-completions" ? /^POST \/chat\/completions / : /^POST \/v1\/messages /,
      );
    },
  );

  test(
    "a picture is sent with its type and bytes",
    (request) => request.write(STREAM_HEAD + wire.start + wire.delta("seen") + wire.end),
    async ({ ask, server }) => {
      const picture = { mimeType: "image/png", base64: btoa("\x89PNG\r\n\x1a\n") };
      const messages = [{ role: "user" as const, text: "look", images: [picture] }];
      await Array.fromAsync(ask({ messages }));
      const body = server.requests[0]?.body ?? "";
      assert.ok(body.includes(picture.base64), body);
      assert.ok(body.includes("image/png"));
    },
  );

  test(
    "without a key none is sent; an own header and credentials of the address are",
    (request) => request.write(STREAM_HEAD + wire.start + wire.delta("ok") + wire.end),
    async ({ server }) => {
      const url = new URL(server.url);
      url.username = "joe";
      url.password = "p%40ss";
      const search = "?tenant=blue";
      const bare = sceneOf(server, { api, apiKey: undefined, headers: { "X-Team": "red" } });
      await Array.fromAsync(bare.ask());
      const basic = sceneOf(server, { api, baseUrl: `${url.href}${search}` });
      await Array.fromAsync(basic.ask());
      const own = sceneOf(server, { api, baseUrl: url.href, headers: { Authorization: "Own x" } });
      await Array.fromAsync(own.ask());

      const [first, second, third] = server.requests.map((request) => request.head);
      assert.doesNotMatch(first ?? "", /^(?:authorization|x-api-key):/im);
      assert.match(first ?? "", /^x-team: red/im);
      assert.match(second ?? "", new RegExp(`^authorization: Basic ${btoa("joe:p@ss")}`, "im"));
      assert.match(second ?? "", /^POST \S+\?tenant=blue /);
      assert.match(third ?? "", /^authorization: Own x/im);
    },
  );

  test(
    "an abort before the answer closes the connection",
    (request) => request.closed(),
    async ({ ask, server, clock }) => {
      const control = new AbortController();
      const reason = new Error("stopped");
      const pending = Array.fromAsync(ask({}, control.signal));
      await until(() => server.requests.length === 1);
      control.abort(reason);
      await assert.rejects(pending, (thrown) => thrown === reason);
      assert.deepEqual(clock.pending, []);
    },
  );

  const closes = Promise.withResolvers<void>();
  test(
    "an abort in the middle closes the connection, which the server sees",
    async (request) => {
      await request.write(STREAM_HEAD + wire.start + wire.delta("one"));
      await request.closed();
      closes.resolve();
    },
    async ({ ask, clock }) => {
      const control = new AbortController();
      const reason = new Error("stopped");
      await assert.rejects(async () => {
        for await (const part of ask({}, control.signal)) {
          assert.deepEqual(part, { type: "text", text: "one" });
          queueMicrotask(() => control.abort(reason));
        }
      }, (thrown) => thrown === reason);
      await closes.promise;
      assert.deepEqual(clock.pending, []);
    },
  );

  const left = Promise.withResolvers<void>();
  test(
    "a reader that leaves closes the connection, which the server sees",
    async (request) => {
      await request.write(STREAM_HEAD + wire.start + wire.delta("one"));
      await request.closed();
      left.resolve();
    },
    async ({ ask, clock }) => {
      for await (const part of ask()) {
        assert.equal(part.type, "text");
        break;
      }
      await left.promise;
      assert.deepEqual(clock.pending, []);
    },
  );

  const heard = Promise.withResolvers<void>();
  test(
    "a server that dies in the middle is an error after what it said, and is not asked again",
    async (request) => {
      await request.write(CHUNKED_HEAD + chunk(wire.start) + chunk(wire.delta("one")));
      await heard.promise;
    },
    async ({ ask, server, clock }) => {
      const parts: ModelPart[] = [];
      await assert.rejects(async () => {
        for await (const part of ask()) {
          parts.push(part);
          heard.resolve();
        }
      }, /^ModelError: fake\/model broke off before its answer was complete: send/);
      assert.deepEqual(parts, [{ type: "text", text: "one" }]);
      assert.equal(server.requests.length, 1);
      assert.deepEqual(clock.pending, []);
    },
  );

  test(
    "a stream that ends without its end is an error after what it said",
    (request) => request.write(STREAM_HEAD + wire.start + wire.delta("one")),
    async ({ ask, server }) => {
      const parts: ModelPart[] = [];
      await assert.rejects(async () => {
        for await (const part of ask()) parts.push(part);
      }, /broke off before its answer was complete/);
      assert.deepEqual(parts, [{ type: "text", text: "one" }]);
      assert.equal(server.requests.length, 1);
    },
  );

  for (
    const [name, body] of [
      ["nothing at all", ""],
      ["only its frame", wire.start + wire.end],
      ["only blanks", wire.start + wire.delta("  \n") + wire.end],
    ] as const
  ) {
    test(
      `an answer of ${name} is an error`,
      (request) => request.write(STREAM_HEAD + body),
      async ({ refusal }) => {
        assert.match((await refusal()).message, /^fake\/model sent an empty answer: /);
      },
    );
  }

  test(
    "an error inside the stream is told with its status, without the key",
    (request) => request.write(STREAM_HEAD + wire.error),
    async ({ refusal, server }) => {
      const error = await refusal();
      assert.match(error.message, /^fake\/model answered 5\d\d \("overheated \*\*\*"\): /);
      assert.equal(error.retryable, true);
      assert.equal(server.requests.length, 1 + MAX_RETRIES);
    },
  );

  test(
    "an error after the first text is not asked again",
    (request) => request.write(STREAM_HEAD + wire.start + wire.delta("one") + wire.error),
    async ({ refusal, server }) => {
      assert.match((await refusal()).message, /overheated \*\*\*/);
      assert.equal(server.requests.length, 1);
    },
  );

  test(
    "a stream of something else is an error that does not repeat it",
    (request) => request.write(`${STREAM_HEAD}data: <private> nonsense\n\n`),
    async ({ refusal }) => {
      const { message } = await refusal();
      assert.match(
        message,
        /^fake\/model sent an answer that cannot be read: check models\.providers\.fake\.api/,
      );
      assert.doesNotMatch(message, /private/);
    },
  );

  for (
    const [type, what] of [
      ["text/html; charset=utf-8", "a web page"],
      ["application/json", "a single JSON document"],
      ["image/png", "another kind of content"],
    ] as const
  ) {
    test(
      `${type} is not an answer`,
      (request) => request.write(response(200, type, "{}")),
      async ({ refusal, server }) => {
        const error = await refusal();
        assert.match(error.message, new RegExp(`^fake/model answered with ${what} instead`));
        assert.equal(error.retryable, false);
        assert.equal(server.requests.length, 1);
      },
    );
  }

  test(
    "a redirect is not followed",
    (request) =>
      request.write(response(307, "text/plain", "", "location: http://127.0.0.1:9/\r\n")),
    async ({ refusal, server }) => {
      const error = await refusal();
      assert.match(error.message, /^fake\/model answered 307: .*redirects are not followed/);
      assert.equal(server.requests.length, 1);
    },
  );

  test(
    "the wait that a provider asks for is kept",
    (request) => request.write(response(429, "application/json", "{}", "retry-after: 7\r\n")),
    async ({ refusal, clock }) => {
      assert.equal((await refusal()).status, 429);
      assert.deepEqual(clock.waits, [7000, 7000]);
    },
  );

  test(
    "a provider that asks for a long wait is not asked again",
    (request) => request.write(response(429, "application/json", "{}", "retry-after: 3600\r\n")),
    async ({ refusal, server }) => {
      assert.equal((await refusal()).retryable, true);
      assert.equal(server.requests.length, 1);
    },
  );

  test(
    "an endless error body is read in part",
    async (request) => {
      await request.write(
        "HTTP/1.1 400 X\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n",
      );
      await request.write("x".repeat(1024 * 1024));
      await request.closed();
    },
    async ({ refusal }) => {
      const { message } = await refusal();
      assert.match(message, /^fake\/model answered 400 \("x+…"\)/);
      assert.ok(message.length < 700);
    },
  );

  for (
    const [name, after, timeout, retryable] of [
      ["nothing comes", "", FIRST_BYTE_TIMEOUT_MS, true],
      ["only the head comes", STREAM_HEAD, FIRST_BYTE_TIMEOUT_MS, true],
      ["it falls silent", STREAM_HEAD + wire.start + wire.delta("one"), IDLE_TIMEOUT_MS, true],
      ["it never ends", STREAM_HEAD + wire.start + wire.delta("one"), ANSWER_TIMEOUT_MS, false],
    ] as const
  ) {
    test(
      `the wait ends when ${name}`,
      async (request) => {
        await request.write(after);
        await request.closed();
      },
      async ({ ask, server, clock }) => {
        const outcome = assert.rejects(Array.fromAsync(ask()), (thrown) => {
          assert.ok(thrown instanceof ModelError);
          assert.match(
            thrown.message,
            timeout === ANSWER_TIMEOUT_MS
              ? /^fake\/model was still answering after 60 minutes/
              : new RegExp(`^fake/model sent nothing for ${timeout / 1000} seconds`),
          );
          assert.equal(thrown.retryable, retryable);
          return true;
        });
        await until(() => server.requests.length === 1 && clock.pending.includes(timeout));
        if (after.endsWith("\n\n") && after !== STREAM_HEAD) {
          await until(() => clock.pending.includes(IDLE_TIMEOUT_MS));
        }
        assert.ok(clock.expire(timeout));
        await outcome;
        assert.equal(server.requests.length, 1);
        assert.deepEqual(clock.pending, []);
      },
    );
  }

  test(
    "an answer beyond the cap is cut off with an error",
    async (request) => {
      await request.write(STREAM_HEAD + wire.start);
      const piece = wire.delta("0123456789abcdef".repeat(16 * 1024));
      for (let sent = 0; sent <= MAX_ANSWER_CHARS; sent += 256 * 1024) await request.write(piece);
      await request.closed();
    },
    async ({ ask }) => {
      let chars = 0;
      await assert.rejects(async () => {
        for await (const part of ask()) if (part.type === "text") chars += part.text.length;
      }, /longer than 4194304 characters/);
      assert.equal(chars, MAX_ANSWER_CHARS);
    },
  );

  test(
    "an event beyond the cap ends the answer",
    async (request) => {
      await request.write(`${STREAM_HEAD}data: "`);
      const piece = "x".repeat(1024 * 1024);
      for (let sent = 0; sent <= MAX_EVENT_BYTES; sent += piece.length) await request.write(piece);
      await request.closed();
    },
    async ({ refusal }) => {
      assert.match((await refusal()).message, /sent more than one answer may hold/);
    },
  );

  test(
    "a server that hangs up is asked again, then named by its address alone",
    () => Promise.resolve(),
    async ({ server }) => {
      const url = new URL(server.url);
      url.username = "joe";
      url.password = "hunter2hunter2";
      const scene = sceneOf(server, { api, baseUrl: `${url.href}secret-path?key=abcdefgh` });
      const { message, retryable } = await scene.refusal();
      assert.match(message, new RegExp(`^fake/model [a-z ]+ "${url.host}": `));
      assert.doesNotMatch(message, /joe|hunter2|secret-path|abcdefgh/);
      assert.equal(retryable, true);
      assert.equal(server.requests.length, 1 + MAX_RETRIES);
    },
  );

  Deno.test(`${api}: a refused connection is explained`, async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const baseUrl = `http://127.0.0.1:${listener.addr.port}`;
    listener.close();
    const { message } = await refusalOf(optionsFor({ api, baseUrl }), new SteppingClock());
    assert.match(
      message,
      /^fake\/model refused the connection at "127\.0\.0\.1:\d+": start the provider there/,
    );
  });

  test(
    "nothing is written to the console, and no key is taken from the environment",
    (request) => request.write(STREAM_HEAD + wire.start + wire.delta("quiet") + wire.end),
    async ({ server }) => {
      const script = new URL("../../conformance/model/ask_once.ts", import.meta.url);
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", "--no-lock", script.pathname, api, server.url],
        env: { ANTHROPIC_API_KEY: KEY, OPENAI_API_KEY: KEY, ANTHROPIC_AUTH_TOKEN: KEY },
      }).output();
      assert.equal(new TextDecoder().decode(stderr), "");
      assert.equal(new TextDecoder().decode(stdout), "quiet");
      assert.ok(!server.requests[0]?.head.includes(KEY));
    },
  );
}

function optionsFor(extra: Partial<ProviderOptions> & Pick<ProviderOptions, "api" | "baseUrl">) {
  return { id: "fake", apiKey: KEY, models: [{ id: "model" }], ...extra };
}

function sceneOf(
  server: RawServer,
  extra: Partial<ProviderOptions> & Pick<ProviderOptions, "api">,
): Scene {
  const clock = new SteppingClock();
  const options = optionsFor({ baseUrl: server.url, ...extra });
  return {
    server,
    clock,
    ask: (request = {}, signal = new AbortController().signal) =>
      providerModel(options, { clock }).stream({
        model: "fake/model",
        messages: [{ role: "user", text: "hello" }],
        ...request,
      }, signal),
    refusal: () => refusalOf(options, clock),
  };
}

async function refusalOf(options: ProviderOptions, clock: SteppingClock): Promise<ModelError> {
  const request = { model: "fake/model", messages: [{ role: "user" as const, text: "hello" }] };
  try {
    await Array.fromAsync(
      providerModel(options, { clock }).stream(request, new AbortController().signal),
    );
  } catch (thrown) {
    assert.ok(thrown instanceof ModelError, String(thrown));
    assert.deepEqual(clock.pending, []);
    assert.ok(!thrown.message.includes(KEY));
    return thrown;
  }
  return assert.fail("it answered");
}

/** Waits until something outside has happened, turn by turn of the event loop. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 0));
}
