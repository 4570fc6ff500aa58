import assert from "node:assert/strict";
import { modelCatalog } from "../../../src/adapters/model_catalog.ts";
import type { ProviderOptions } from "../../../src/adapters/provider_endpoint.ts";
import { ModelError } from "../../../src/ports/model.ts";
import { SteppingClock } from "../../conformance/model/stepping_clock.ts";

function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test(name, fn);
}

/** A provider that cannot be called, so that its error shows that it was chosen. */
function provider(id: string, ...models: string[]): ProviderOptions {
  return {
    id,
    baseUrl: "not an address",
    api: "openai-completions",
    models: models.map((model) => ({ id: model })),
  };
}

function catalog(...providers: ProviderOptions[]) {
  return modelCatalog({ providers, clock: new SteppingClock(), partDelayMs: 0 });
}

async function ask(port: ReturnType<typeof catalog>, model: string): Promise<string> {
  const request = { model, messages: [{ role: "user" as const, text: "help" }] };
  try {
    const parts = await Array.fromAsync(port.stream(request, new AbortController().signal));
    return parts.map((part) => part.type === "text" ? part.text : "").join("");
  } catch (thrown) {
    if (thrown instanceof ModelError) return thrown.message;
    throw thrown;
  }
}

test("models are listed in the order of the configuration, the embedded one last", () => {
  const listed = catalog(provider("zeta", "b", "a"), provider("alpha", "org/c")).list();
  assert.deepEqual(listed.map((info) => `${info.provider}/${info.id}`), [
    "zeta/b",
    "zeta/a",
    "alpha/org/c",
    "local/assistant",
  ]);
});

test("errors name the settings file that counts, without its folder", async () => {
  let path = "/state/of someone/clawgate.yaml";
  const port = modelCatalog({
    providers: [provider("p", "m")],
    clock: new SteppingClock(),
    settingsFile: () => path,
  });
  assert.match(await ask(port, "p/m"), /mend models\.providers\.p in clawgate\.yaml\.$/);
  assert.match(await ask(port, "p/other"), /models\.providers\.p\.models in clawgate\.yaml, or/);
  path = "/elsewhere/openclaw.json";
  assert.match(await ask(port, "p/m"), /in openclaw\.json\.$/);
  assert.match(await ask(catalog(provider("p", "m")), "p/m"), /in the settings file\.$/);
});

test("a provider that waits for variables is listed, and its models answer which", async () => {
  const waits = (...unset: string[]): ProviderOptions => ({ ...provider("p", "m"), unset });
  const one = catalog(waits("KEY"), provider("q", "n"));
  assert.deepEqual(one.list().map(({ id }) => id), ["m", "n", "assistant"]);
  assert.equal(
    await ask(one, "p/m"),
    "p/m needs the environment variable KEY, which is not set: set it where the gateway runs and " +
      "restart the gateway, or change models.providers.p in the settings file.",
  );
  assert.match(await ask(catalog(waits("A", "B")), "p/m"), /variables A, B, which are not set/);
  assert.doesNotMatch(await ask(one, "q/n"), /variable/);
});

test("what is known of a model is listed", () => {
  const options = {
    ...provider("p"),
    models: [{ id: "m", name: "Em", contextWindow: 8192, reasoning: true }],
  };
  assert.deepEqual(catalog(options).list()[0], {
    id: "m",
    name: "Em",
    provider: "p",
    contextWindow: 8192,
    reasoning: true,
  });
});

test("a request goes to the provider before the first slash", async () => {
  const port = catalog(provider("one", "m"), provider("two", "org/m"), provider("any"));
  const table: readonly [string, RegExp][] = [
    ["one/m", /^one\/m has a baseUrl/],
    ["two/org/m", /^two\/org\/m has a baseUrl/],
    ["any/thing/at/all", /^any\/thing\/at\/all has a baseUrl/],
    ["local/assistant", /built-in assistant/],
    ["local/echo", /built-in assistant/],
    ["one/other", /"one\/other" is not listed/],
    ["any/", /"any\/" is not listed/],
    ["local/other", /"local\/other" has no provider.*"one", "two", "any", "local"/],
    ["m", /"m" has no provider/],
    ["", /"" has no provider/],
    ["/m", /"\/m" has no provider/],
    ["__proto__/x", /"__proto__\/x" has no provider/],
  ];
  for (const [model, expected] of table) assert.match(await ask(port, model), expected, model);
});

test("a configured provider named local keeps its own models and leaves the embedded one", async () => {
  const port = catalog(provider("local", "assistant", "llama"));
  assert.match(await ask(port, "local/assistant"), /has a baseUrl/);
  assert.match(await ask(port, "local/llama"), /has a baseUrl/);
  assert.match(await ask(port, "local/echo"), /built-in assistant/);
});
