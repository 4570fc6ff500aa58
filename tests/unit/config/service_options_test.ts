import assert from "node:assert/strict";
import { type Config, DEFAULT_MODEL, parseConfig } from "../../../src/config.ts";
import { agentOptions, providerOptions } from "../../../src/config/service_options.ts";
import { Agents } from "../../../src/services/agents.ts";

function config(record: unknown): Config {
  const { config, issues } = parseConfig(record, { env: {} });
  assert.deepEqual(issues, []);
  return config;
}

/** Without the members that are undefined. */
function told(options: unknown): unknown {
  return JSON.parse(JSON.stringify(options));
}

Deno.test("the agents service reads the defaults and each agent's own settings", () => {
  const defaults = { model: DEFAULT_MODEL, heartbeatEvery: "30m" };
  const table: readonly [name: string, agents: unknown, expected: unknown][] = [
    ["nothing set", {}, { defaults, list: [] }],
    [
      "defaults",
      {
        defaults: {
          model: { primary: "a/b", fallbacks: ["c/d"] },
          workspace: "~/work",
          heartbeat: { every: "1h", prompt: "Anything?" },
        },
      },
      {
        defaults: {
          model: "a/b",
          heartbeatEvery: "1h",
          heartbeatPrompt: "Anything?",
        },
        list: [],
      },
    ],
    [
      "an agent that sets all",
      {
        list: [{
          id: "work",
          name: "Work",
          default: true,
          model: { primary: "e/f" },
          workspace: "/w",
          identity: { name: "W", theme: "t", emoji: "x", avatar: "a.png" },
          heartbeat: { every: "0m", prompt: "Now?" },
        }],
      },
      {
        defaults,
        list: [{
          id: "work",
          name: "Work",
          default: true,
          model: "e/f",
          identity: { name: "W", theme: "t", emoji: "x", avatar: "a.png" },
          heartbeatEvery: "0m",
          heartbeatPrompt: "Now?",
        }],
      },
    ],
    [
      "agents that set nothing, in their order",
      { list: [{ id: "b" }, { id: "a", model: "g/h" }] },
      { defaults, list: [{ id: "b" }, { id: "a", model: "g/h" }] },
    ],
  ];
  for (const [name, agents, expected] of table) {
    assert.deepEqual(told(agentOptions(config({ agents }))), expected, name);
  }
});

Deno.test("what an agent does not set falls back to the defaults", () => {
  const agents = new Agents({
    options: () =>
      agentOptions(config({
        agents: {
          defaults: { model: "a/b", heartbeat: { every: "1h", prompt: "Anything?" } },
          list: [{ id: "own", heartbeat: { every: "5m" } }, { id: "plain" }],
        },
      })),
  });
  assert.deepEqual(
    agents.list().map(({ id, heartbeatEvery, heartbeatPrompt }) => [
      id,
      agents.modelFor(id),
      heartbeatEvery,
      heartbeatPrompt,
    ]),
    [["own", "a/b", "5m", "Anything?"], ["plain", "a/b", "1h", "Anything?"]],
  );
});

Deno.test("only providers whose API is spoken are called", () => {
  const table: readonly [api: string | undefined, spoken: string | undefined][] = [
    [undefined, "openai-completions"],
    ["openai-completions", "openai-completions"],
    ["anthropic-messages", "anthropic-messages"],
    ["openai-responses", undefined],
    ["google-generative-ai", undefined],
    ["github-copilot", undefined],
    ["bedrock-converse-stream", undefined],
  ];
  for (const [api, spoken] of table) {
    const provider = { baseUrl: "https://api.example/v1", ...(api === undefined ? {} : { api }) };
    const options = providerOptions(config({ models: { providers: { p: provider } } }));
    assert.deepEqual(options.map((option) => option.api), spoken === undefined ? [] : [spoken]);
  }
});

Deno.test("a provider keeps its key, headers and models, and is named by its key in the settings", () => {
  const one = {
    baseUrl: "https://api.example/v1",
    apiKey: "k-1",
    api: "anthropic-messages",
    headers: { "X-Team": "t" },
    models: [{ id: "m", name: "M", contextWindow: 10, reasoning: true, maxTokens: 5 }],
  };
  const providers = { z: { baseUrl: "http://127.0.0.1:1/v1" }, a: one };
  assert.deepEqual(told(providerOptions(config({ models: { providers } }))), [
    { id: "z", baseUrl: "http://127.0.0.1:1/v1", api: "openai-completions", models: [] },
    { id: "a", ...one },
  ]);
});
