/** A process that asks a provider one question and writes the answer's text: `ask_once.ts <api> <url>`. */

import { modelCatalog } from "../../../src/adapters/model_catalog.ts";
import { SteppingClock } from "./stepping_clock.ts";

const [api, baseUrl = ""] = Deno.args;
const port = modelCatalog({
  providers: [{
    id: "fake",
    baseUrl,
    api: api === "anthropic-messages" ? "anthropic-messages" : "openai-completions",
    // A name that the library does not know, and settings that it warns of.
    models: [{ id: "unheard-of", reasoning: true }],
  }],
  clock: new SteppingClock(),
});
const request = {
  model: "fake/unheard-of",
  messages: [{ role: "user" as const, text: "hello" }],
  thinking: "minimal",
};
for await (const part of port.stream(request, new AbortController().signal)) {
  if (part.type === "text") await Deno.stdout.write(new TextEncoder().encode(part.text));
}
