/**
 * The one schema of every setting: type, validation, defaults, JSON Schema, form hints, which values
 * are secret and which need a restart all derive from it. Keys are named as OpenClaw names them.
 */

import * as v from "valibot";
import { SCOPES } from "../core/access.ts";
import { control } from "./control_schema.ts";
import { websocketChannel } from "./channel_schema.ts";
import { isBindAddress, isDuration, isHost, isOrigin, isProxyAddress } from "./setting_text.ts";
import { secretProblem } from "./secret_text.ts";
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

/** The port where none is set. */
export const DEFAULT_PORT = 18_789;

/** The embedded model, which answers without a key or a network. */
export const DEFAULT_MODEL = "local/assistant";

const duration = () =>
  v.pipe(text(), v.check(isDuration, "must be a duration such as 30m, 1h or 0m"));

const secret = () =>
  v.pipe(
    text(),
    v.rawCheck(({ dataset, addIssue }) => {
      const problem = dataset.typed ? secretProblem(dataset.value) : undefined;
      if (problem !== undefined) addIssue({ message: problem });
    }),
  );

const scopes = () => listOf(oneOf(SCOPES));

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
    v.pipe(text(), v.check(isHttpUrl, "must be an address that begins with http:// or https://")),
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

const tls = v.pipe(
  section({
    enabled: v.optional(
      mark(flag(), {
        label: "TLS",
        help: "Whether connections are encrypted by the gateway itself.",
        restart: true,
      }),
      false,
    ),
    certPath: v.optional(
      mark(text(), {
        label: "Certificate",
        help: "File of the certificate chain, as PEM.",
        restart: true,
      }),
    ),
    keyPath: v.optional(
      mark(text(), { label: "Private key", help: "File of its key, as PEM.", restart: true }),
    ),
  }),
  v.forward(
    v.check(
      ({ enabled, certPath, keyPath }) =>
        !enabled || (certPath !== undefined && keyPath !== undefined),
      "needs gateway.tls.certPath and gateway.tls.keyPath",
    ),
    ["enabled"],
  ),
);

const gateway = v.pipe(
  section({
    port: v.optional(
      mark(whole(0, 65_535), {
        label: "Port",
        help: "TCP port of every wire; 0 takes any free one.",
        restart: true,
      }),
      DEFAULT_PORT,
    ),
    mode: v.optional(
      mark(oneOf(["local", "remote"]), { label: "Mode", advanced: true, unused: ["remote"] }),
    ),
    bind: v.optional(
      mark(
        v.pipe(
          text(),
          v.check(
            isBindAddress,
            "must be loopback, lan, auto, tailnet, custom, an IP address or a host name",
          ),
        ),
        {
          label: "Bind",
          help:
            "Where to listen: loopback (this machine alone), lan (everywhere), auto, tailnet, " +
            "custom, or an address.",
          restart: true,
        },
      ),
      "loopback",
    ),
    customBindHost: v.optional(
      mark(v.pipe(text(), v.check(isHost, "must be an IP address or a host name")), {
        label: "Custom bind host",
        help: "Where to listen when bind is custom.",
        advanced: true,
        restart: true,
      }),
    ),
    auth: v.optional(
      mark(
        section({
          mode: v.optional(
            mark(oneOf(["token", "password"]), {
              label: "Kind of secret",
              help: "Which shared secret clients show.",
            }),
          ),
          token: v.optional(mark(secret(), { label: "Gateway token", sensitive: true })),
          password: v.optional(mark(secret(), { label: "Gateway password", sensitive: true })),
          remoteScopes: v.optional(
            mark(scopes(), {
              label: "Scopes of remote clients",
              help: "What the shared secret grants to a remote client without a paired device.",
              advanced: true,
            }),
            ["operator.read", "operator.write"],
          ),
          defaultScopes: v.optional(
            mark(scopes(), {
              label: "Scopes when none are asked",
              help: "What a client that asks for no scopes gets, within what it may have.",
              advanced: true,
            }),
            ["operator.read", "operator.write"],
          ),
        }),
        { label: "Access" },
      ),
      {},
    ),
    tls: v.optional(mark(tls, { label: "TLS" })),
    trustedProxies: v.optional(
      mark(
        listOf(v.pipe(text(), v.check(isProxyAddress, "must be an IP address or a range"))),
        { label: "Trusted proxies", help: "Addresses whose forwarding headers are believed." },
      ),
      [],
    ),
    allowedHosts: v.optional(
      mark(
        listOf(v.pipe(text(), v.check(isHost, "must be a host name, without scheme or path"))),
        { label: "Allowed hosts", help: "Host names, besides its addresses, it may be asked by." },
      ),
      [],
    ),
    controlUi: v.optional(
      mark(
        section({
          allowedOrigins: v.optional(
            mark(
              listOf(
                v.pipe(text(), v.check(isOrigin, "must be an origin such as https://example.org")),
              ),
              { label: "Allowed origins", help: "Web pages elsewhere that may connect." },
            ),
            [],
          ),
        }),
        { label: "Control UI" },
      ),
      {},
    ),
  }),
  v.title("Gateway"),
  v.forward(
    v.check(
      ({ bind, customBindHost }) => bind !== "custom" || customBindHost !== undefined,
      "is required when gateway.bind is custom",
    ),
    ["customBindHost"],
  ),
);

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

/** Every setting. Unknown keys are not part of the output; the text of the file keeps them. */
export const ConfigSchema = section({
  gateway: v.optional(mark(gateway, { label: "Gateway" }), {}),
  models: v.optional(
    mark(
      section({
        mode: v.optional(
          mark(oneOf(["merge", "replace"]), { label: "Mode", advanced: true, unused: true }),
        ),
        providers: v.optional(
          mark(recordOf(provider), { label: "Providers", help: "By id." }),
          {},
        ),
      }),
      { label: "Models" },
    ),
    {},
  ),
  agents: v.optional(
    mark(
      section({
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
      }),
      { label: "Agents" },
    ),
    {},
  ),
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

function isHttpUrl(value: string): boolean {
  // A reference that stays after substitution was escaped on purpose and is no address either.
  return /^https?:\/\//i.test(value) && URL.canParse(value);
}

/** `Value` with every member readonly at every level. */
export type DeepReadonly<Value> = Value extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : Value extends object ? { readonly [Key in keyof Value]: DeepReadonly<Value[Key]> }
  : Value;

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
