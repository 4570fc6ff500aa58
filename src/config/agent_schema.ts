/** The settings of the agents: what holds for all of them, and each one's own. */

import * as v from "valibot";
import { flag, listOf, mark, name, section, text, whole } from "./setting_schema.ts";
import { isDuration } from "./setting_text.ts";

/** The embedded model, which answers without a key or a network. */
export const DEFAULT_MODEL = "local/assistant";

const duration = () =>
  v.pipe(text(), v.check(isDuration, "must be a duration such as 30m, 1h or 0m"));

const MODEL_WORDS = "must be a model as text (provider/id) or an object with primary and fallbacks";

const model = () =>
  v.union([
    name(),
    section({
      primary: v.optional(mark(name(), { label: "Model", placeholder: "ollama/llama3.2" })),
      fallbacks: v.optional(
        mark(listOf(name()), {
          label: "Fallback models",
          help: "Models beside the first.",
          unused: true,
        }),
      ),
    }),
  ], MODEL_WORDS);

const identity = () =>
  section({
    name: v.optional(mark(text(), { label: "Name" })),
    theme: v.optional(mark(text(), { label: "Theme", help: "The character of the agent." })),
    emoji: v.optional(mark(text(), { label: "Emoji" })),
    avatar: v.optional(
      mark(text(), { label: "Avatar", help: "A path or an address of a picture." }),
    ),
  });

/** What a heartbeat says besides how often; without defaults, as an agent may leave them to the defaults. */
const heartbeat = {
  prompt: v.optional(mark(text(), { label: "Heartbeat prompt", advanced: true })),
  target: v.optional(mark(text(), { label: "Heartbeat target", advanced: true, unused: true })),
  ackMaxChars: v.optional(
    mark(whole(0, 100_000), {
      label: "Longest acknowledgement",
      help: "In characters; a longer answer is delivered.",
      advanced: true,
      unused: true,
    }),
  ),
};

const every = () =>
  mark(duration(), {
    label: "Heartbeat interval",
    help: "Such as 30m or 1h; 0m turns heartbeats off. A bare number means minutes.",
  });

const agent = section({
  id: mark(
    v.pipe(
      text(),
      v.regex(
        /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
        "must be 1 to 64 letters, digits, dashes or underscores",
      ),
    ),
    { label: "Id" },
  ),
  name: v.optional(mark(text(), { label: "Name" })),
  default: v.optional(mark(flag(), { label: "Default agent" })),
  workspace: v.optional(
    mark(name(), { label: "Workspace", help: "Its folder.", host: true, unused: true }),
  ),
  model: v.optional(mark(model(), { label: "Model" })),
  identity: v.optional(mark(identity(), { label: "Identity" })),
  heartbeat: v.optional(
    mark(section({ every: v.optional(every()), ...heartbeat }), { label: "Heartbeat" }),
  ),
});

/** `agents`: the defaults and the list. */
export const agents = section({
  defaults: v.optional(
    mark(
      section({
        model: v.optional(mark(model(), { label: "Default model" }), {
          primary: DEFAULT_MODEL,
        }),
        workspace: v.optional(
          mark(name(), { label: "Workspace", help: "The folder.", host: true, unused: true }),
        ),
        heartbeat: v.optional(
          mark(section({ every: v.optional(every(), "30m"), ...heartbeat }), {
            label: "Heartbeat",
          }),
          {},
        ),
        maxConcurrent: v.optional(
          mark(whole(1, 1_000), {
            label: "Runs at a time",
            help: "Sessions that may run at the same time.",
          }),
          4,
        ),
      }),
      { label: "Defaults" },
    ),
    {},
  ),
  list: v.optional(mark(listOf(agent), { label: "Agents" }), []),
});
