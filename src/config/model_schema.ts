/** The settings of the models: their providers, and what is known of each model. */

import * as v from "valibot";
import {
  flag,
  listOf,
  mark,
  name,
  oneOf,
  recordOf,
  section,
  text,
  whole,
} from "./setting_schema.ts";
import { HTTP_URL_WORDS, isHttpUrl } from "./setting_text.ts";

/** APIs of model providers that OpenClaw knows and this gateway does not speak. */
const UNUSED_APIS = [
  "openai-responses",
  "google-generative-ai",
  "github-copilot",
  "bedrock-converse-stream",
] as const;

const APIS = ["openai-completions", "anthropic-messages", ...UNUSED_APIS] as const;

const HEADERS = { label: "Headers", advanced: true, sensitive: true } as const;

const modelDefinition = section({
  id: mark(name(), { label: "Model id", help: "Its name at the provider." }),
  name: v.optional(mark(text(), { label: "Name" })),
  api: v.optional(
    mark(oneOf(APIS), { label: "API", help: "That of the provider counts.", unused: true }),
  ),
  reasoning: v.optional(mark(flag(), { label: "Reasons" })),
  input: v.optional(mark(listOf(oneOf(["text", "image"])), { label: "Input", unused: true })),
  contextWindow: v.optional(
    mark(whole(1, 1_000_000_000), { label: "Context window", help: "In tokens." }),
  ),
  maxTokens: v.optional(
    mark(whole(1, 1_000_000_000), { label: "Longest answer", help: "In tokens." }),
  ),
  cost: v.optional(
    mark(recordOf(v.number("must be a number")), {
      label: "Cost",
      help: "US dollars per million tokens.",
      advanced: true,
      unused: true,
    }),
  ),
  headers: v.optional(
    mark(recordOf(text()), { ...HEADERS, help: "Those of the provider count.", unused: true }),
  ),
});

const provider = section({
  baseUrl: mark(
    v.pipe(text(), v.check(isHttpUrl, HTTP_URL_WORDS)),
    { label: "Address", placeholder: "http://127.0.0.1:11434/v1", environment: true },
  ),
  apiKey: v.optional(mark(text(), { label: "API key", sensitive: true })),
  api: v.optional(
    mark(oneOf(APIS), {
      label: "API",
      help: "How the provider is spoken to.",
      unused: UNUSED_APIS,
    }),
    "openai-completions",
  ),
  headers: v.optional(mark(recordOf(text()), { ...HEADERS, help: "Sent with every request." })),
  models: v.optional(mark(listOf(modelDefinition), { label: "Models" }), []),
});

/** `models`: the providers by id. */
export const models = section({
  mode: v.optional(
    mark(oneOf(["merge", "replace"]), { label: "Mode", advanced: true, unused: true }),
  ),
  providers: v.optional(
    mark(recordOf(provider), { label: "Providers", help: "By id." }),
    {},
  ),
});
