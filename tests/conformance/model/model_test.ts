/** The contract of the model port, for the embedded model and for both provider wires. */

import { modelCatalog } from "../../../src/adapters/model_catalog.ts";
import type { ProviderApi } from "../../../src/adapters/provider_endpoint.ts";
import type { ModelPort } from "../../../src/ports/model.ts";
import { FakeProvider } from "./fake_provider.ts";
import { modelContract } from "./model_contract.ts";
import { SteppingClock } from "./stepping_clock.ts";

const server = new FakeProvider([
  {
    match: { userMessage: "count to 20" },
    response: {
      content: Array.from({ length: 20 }, (_, index) => index + 1).join(" "),
      usage: { prompt_tokens: 3, completion_tokens: 20, input_tokens: 3, output_tokens: 20 },
    },
  },
  // Only a conversation with one earlier answer is one in which the name was told.
  {
    match: { userMessage: "What is my name?", turnIndex: 1 },
    response: { content: "Your name is John." },
  },
  {
    match: { userMessage: "What is my name?", turnIndex: 0 },
    response: { content: "You have not told me." },
  },
]);
Deno.test.beforeAll(() => server.start());
Deno.test.afterAll(() => server.stop());

function provider(api: ProviderApi): ModelPort {
  const baseUrl = api === "openai-completions" ? `${server.url}/v1` : server.url;
  return modelCatalog({
    providers: [{ id: "fake", baseUrl, apiKey: "test-key", api, models: [{ id: "model-1" }] }],
    clock: new SteppingClock(),
  });
}

modelContract("embedded model", () => ({
  port: modelCatalog({ providers: [], clock: new SteppingClock() }),
  model: "local/assistant",
}));
modelContract("openai-completions provider", () => ({
  port: provider("openai-completions"),
  model: "fake/model-1",
}));
modelContract("anthropic-messages provider", () => ({
  port: provider("anthropic-messages"),
  model: "fake/model-1",
}));
