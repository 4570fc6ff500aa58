import assert from "node:assert/strict";
import { modelCatalog } from "../../../src/adapters/model_catalog.ts";
import { LOCAL_MODEL_ALIASES } from "../../../src/adapters/local_model.ts";
import {
  type Config,
  disabledProviderText,
  modelProblem,
  parseConfig,
} from "../../../src/config.ts";
import { modelSettings } from "../../../src/config/model_name.ts";
import { providerOptions } from "../../../src/config/service_options.ts";
import { ModelError } from "../../../src/ports/model.ts";
import { GatewayError } from "../../../src/core/error.ts";
import { modelName, Models } from "../../../src/services/models.ts";
import { SteppingClock } from "../../conformance/model/stepping_clock.ts";

const { config: CONFIG } = parseConfig({
  models: {
    providers: {
      some: { baseUrl: "http://127.0.0.1:1", models: [{ id: "One" }, { id: "org/two" }] },
      any: { baseUrl: "http://127.0.0.1:1" },
      foreign: { baseUrl: "http://127.0.0.1:1", api: "github-copilot", models: [{ id: "f" }] },
      waits: { baseUrl: "http://127.0.0.1:1", apiKey: "${KEY}", models: [{ id: "w" }] },
    },
  },
}, { env: {} });

const TABLE: readonly (readonly [wanted: string, problem: RegExp | undefined])[] = [
  ["some/One", undefined],
  ["some/one", undefined],
  ["One", undefined],
  ["some/org/two", undefined],
  ["org/two", undefined],
  [" some/One ", undefined],
  ["any/whatever", undefined],
  ["any/a/b", undefined],
  ["waits/w", undefined],
  ["local/assistant", undefined],
  ["local/echo", undefined],
  ["assistant", undefined],
  ["some/three", /^names the model "some\/three", which the provider "some" does not list$/],
  ["nope/x", /^names the model "nope\/x", but there is no provider "nope"$/],
  ["foreign/f", /^names the model "foreign\/f", but the API of the provider "foreign" is not/],
  ["local/three", /^names the model "local\/three", which is not there; local\/assistant is$/],
  ["three", /^names the model "three", which no provider lists; write it as provider\/model$/],
  ["some/", /which no provider lists/],
  ["toString/x", /there is no provider "toString"/],
];

for (const [wanted, problem] of TABLE) {
  Deno.test(`the model ${JSON.stringify(wanted)} is ${problem === undefined ? "there" : "missed"}`, async () => {
    const found = modelProblem(CONFIG, wanted);
    if (problem === undefined) assert.equal(found, undefined);
    else assert.match(found ?? "", problem);
    // The gateway itself finds the models that the rule lets pass, and no others.
    assert.equal(await foundByGateway(wanted), problem === undefined);
  });
}

/** Whether the model gets as far as to its provider, which is not there to answer. */
async function foundByGateway(wanted: string): Promise<boolean> {
  const port = modelCatalog({
    providers: providerOptions(CONFIG),
    clock: new SteppingClock(),
    partDelayMs: 0,
  });
  const models = new Models({
    port,
    defaultModel: () => wanted,
    aliases: () => LOCAL_MODEL_ALIASES,
  });
  try {
    const model = modelName(models.resolveConfigured(wanted));
    const request = { model, messages: [{ role: "user" as const, text: "help" }] };
    await Array.fromAsync(models.stream(request, new AbortController().signal));
    return true;
  } catch (error) {
    if (error instanceof GatewayError) return false;
    assert.ok(error instanceof ModelError, String(error));
    return !/has no provider|is not listed/.test(error.message);
  }
}

Deno.test("every setting that names a model is known by its path", () => {
  const settings = (agents: unknown) => modelSettings(parseConfig({ agents }, { env: {} }).config);
  assert.deepEqual(
    settings({
      defaults: { model: "a/b" },
      list: [{ id: "x" }, { id: "y", model: { primary: "c/d" } }, { id: "z", model: {} }],
    }),
    [
      { path: "agents.defaults.model", model: "a/b" },
      { path: "agents.list.1.model.primary", model: "c/d" },
    ],
  );
});

Deno.test("a model that is not there is a warning at its path", () => {
  const agents = { defaults: { model: { primary: "nope/x" } }, list: [{ id: "a", model: "b" }] };
  const { issues, warnings } = parseConfig({ agents }, { env: {} });
  assert.deepEqual(issues, []);
  assert.deepEqual(warnings.map(({ path }) => path), [
    "agents.defaults.model.primary",
    "agents.list.0.model",
  ]);
});

Deno.test("a disabled provider is told with its variables, and not with more than a few", () => {
  assert.equal(
    disabledProviderText("p", ["A"]),
    'the provider "p" is disabled, as A is not set in the gateway\'s environment',
  );
  assert.match(disabledProviderText("p", ["A", "B"]), /as A, B are not set/);
  assert.match(disabledProviderText("p", [..."ABCDEFG"]), /as A, B, C, D, E, … are not set/);
  const config: Config = CONFIG;
  assert.deepEqual(config.models.disabled, { waits: ["KEY"] });
});
