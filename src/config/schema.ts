/**
 * The one schema of every setting: type, validation, defaults, JSON Schema, form hints, which values
 * are secret and which need a restart all derive from it. Keys are named as OpenClaw names them.
 */

import * as v from "valibot";
import type { DeepReadonly } from "../core/deep_readonly.ts";
import { agents } from "./agent_schema.ts";
import { websocketChannel } from "./chat_schema.ts";
import { control } from "./control_schema.ts";
import { gateway } from "./gateway_schema.ts";
import { models } from "./model_schema.ts";
import { listOf, mark, name, oneOf, recordOf, section, text, whole } from "./setting_schema.ts";

/** Every setting. Unknown keys are not part of the output; the text of the file keeps them. */
export const ConfigSchema = section({
  gateway: v.optional(mark(gateway, { label: "Gateway" }), {}),
  models: v.optional(mark(models, { label: "Models" }), {}),
  agents: v.optional(mark(agents, { label: "Agents" }), {}),
  session: v.optional(
    mark(
      section({
        scope: v.optional(
          mark(oneOf(["per-sender", "global"]), { label: "Scope" }),
          "per-sender",
        ),
        mainKey: v.optional(mark(name(), { label: "Main session" }), "main"),
        idleMinutes: v.optional(
          mark(whole(1, 10_000_000), {
            label: "Idle minutes",
            help: "After how long a session starts anew.",
            unused: true,
          }),
        ),
        resetTriggers: v.optional(
          mark(listOf(name()), {
            label: "Reset words",
            help: "Messages that start the session anew.",
            unused: true,
          }),
          ["/new", "/reset"],
        ),
      }),
      { label: "Sessions" },
    ),
    {},
  ),
  channels: v.optional(
    mark(
      v.objectWithRest(
        { websocket: v.optional(mark(websocketChannel, { label: "WebSocket chat" })) },
        mark(v.unknown(), { label: "Channel", unused: true }),
        "must be an object",
      ),
      { label: "Channels" },
    ),
    {},
  ),
  control: v.optional(mark(control, { label: "Control channel", advanced: true }), {}),
  logging: v.optional(
    mark(
      section({
        level: v.optional(
          mark(oneOf(["silent", "fatal", "error", "warn", "info", "debug", "trace"]), {
            label: "Level",
            unused: ["silent", "fatal"],
          }),
          "info",
        ),
        file: v.optional(
          mark(name(), {
            label: "File",
            help: "Where the log is written.",
            restart: true,
            host: true,
          }),
        ),
      }),
      { label: "Logging" },
    ),
    {},
  ),
  env: v.optional(
    mark(
      v.objectWithRest(
        {
          vars: v.optional(
            mark(recordOf(text()), { label: "Variables", sensitive: true }),
            {},
          ),
          shellEnv: v.optional(mark(v.unknown(), { label: "Shell environment", unused: true })),
        },
        mark(text(), { label: "Variable", sensitive: true }),
        "must be an object",
      ),
      {
        label: "Environment",
        help: "Stands in for variables that the gateway's own environment does not have.",
        advanced: true,
      },
    ),
    {},
  ),
  meta: v.optional(
    mark(
      section({
        lastTouchedVersion: v.optional(mark(text(), { label: "Last changed by release" })),
        lastTouchedAt: v.optional(mark(text(), { label: "Last changed at" })),
      }),
      { label: "Meta", advanced: true },
    ),
    {},
  ),
});

/**
 * Providers that cannot be called as variables of the environment are not set: the provider's id, and
 * the names of the variables that it waits for, each once and at least one.
 */
export type DisabledProviders = Readonly<Record<string, readonly string[]>>;

/** The kinds of secret that guard the gateway. */
export type SecretKind = "token" | "password";

/** Every setting with defaults filled in. */
export type Config = DeepReadonly<v.InferOutput<typeof ConfigSchema>> & {
  readonly gateway: {
    readonly auth: {
      /** No setting: secrets that another environment than this may fill in; absent where none are. */
      readonly unset?: readonly SecretKind[];
    };
  };
  readonly models: {
    /** No setting; absent where there are none. */
    readonly disabled?: DisabledProviders;
  };
};
