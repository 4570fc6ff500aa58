import assert from "node:assert/strict";
import { GatewayError } from "../../../src/core/error.ts";
import type { ModelInfo } from "../../../src/ports/model.ts";
import { modelName, Models } from "../../../src/services/models.ts";
import { ScriptedModel } from "../../support/scripted_model.ts";

const MODELS: readonly ModelInfo[] = [
  { id: "llama3.2", name: "Llama", provider: "ollama" },
  { id: "openai/gpt-x", name: "GPT", provider: "router" },
  { id: "llama3.2", name: "Other Llama", provider: "vllm" },
  { id: "assistant", name: "Built in", provider: "local" },
];

function models(defaultModel?: string, listed: readonly ModelInfo[] = MODELS): Models {
  return new Models({
    port: new ScriptedModel(listed),
    defaultModel: () => defaultModel,
    aliases: () => ({ fast: "vllm/llama3.2", lost: "gone/model" }),
  });
}

const FOUND: readonly [wanted: string | undefined, fallback: string | undefined, found: string][] =
  [
    [undefined, undefined, "ollama/llama3.2"],
    [undefined, "local/assistant", "local/assistant"],
    ["", "local/assistant", "local/assistant"],
    ["vllm/llama3.2", undefined, "vllm/llama3.2"],
    ["llama3.2", undefined, "ollama/llama3.2"],
    ["router/openai/gpt-x", undefined, "router/openai/gpt-x"],
    ["openai/gpt-x", undefined, "router/openai/gpt-x"],
    ["fast", undefined, "vllm/llama3.2"],
    [" VLLM/Llama3.2 ", undefined, "vllm/llama3.2"],
    [undefined, "local/echo", "local/echo"],
    ["local/echo", "local/echo", "local/echo"],
    [undefined, "fast", "vllm/llama3.2"],
  ];

for (const [wanted, fallback, found] of FOUND) {
  Deno.test(`models: ${JSON.stringify(wanted)} with default ${fallback} means ${found}`, () => {
    assert.equal(modelName(models(fallback).resolve(wanted)), found);
  });
}

Deno.test("models: an unknown name is refused and some that exist are named", () => {
  for (const wanted of ["nope", "local/echo", "lost", "/", "a/"]) {
    assert.throws(() => models().resolve(wanted), (error) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(error.code, "INVALID_REQUEST");
      assert.ok(error.message.startsWith(`unknown model "${wanted}"; use one of "ollama/`));
      return true;
    });
  }
  const many = Array.from({ length: 100 }, (_, at) => ({ id: `m${at}`, name: "", provider: "p" }));
  assert.throws(() => models(undefined, many).resolve("nope"), /"p\/m7", …$/);
  assert.throws(() => models(undefined, []).resolve(undefined), /no model is configured/);
});

Deno.test("models: a configured name is taken at its word when it has a provider", () => {
  assert.deepEqual(models().resolveConfigured("ollama/unlisted"), {
    id: "unlisted",
    name: "unlisted",
    provider: "ollama",
  });
  assert.equal(modelName(models().resolveConfigured("llama3.2")), "ollama/llama3.2");
  assert.equal(
    modelName(models("local/assistant").resolveConfigured(undefined)),
    "local/assistant",
  );
  assert.throws(() => models().resolveConfigured("nope"), /unknown model "nope"/);
});

Deno.test("models: lists show a configured model, or that there is none", () => {
  const listed = [{ id: "one", name: "One", provider: "p", contextWindow: 8 }];
  assert.deepEqual(models(undefined, listed).described("one"), {
    modelProvider: "p",
    model: "one",
    contextTokens: 8,
  });
  assert.deepEqual(models(undefined, listed).described("nope"), {
    modelProvider: null,
    model: null,
    contextTokens: null,
  });
});
