/**
 * The settings: one schema from which type, validation, defaults, JSON Schema and form hints derive;
 * two text formats; and the order in which flags, environment, file and defaults count.
 *
 * ```ts
 * import { parseConfig } from "./config.ts";
 * const { config, issues } = parseConfig({ gateway: { port: 8080 } }, { env: {} });
 * if (issues.length > 0 || config.gateway.port !== 8080) throw new Error("unreachable");
 * ```
 */

export { configSchema, parseConfigText, readSettingsText, settingsCodec } from "./config/codec.ts";
export { type SettingsFormat, settingsFormat } from "./config/text_format.ts";
export {
  type Environment,
  MAX_SETTINGS_BYTES,
  MAX_SETTINGS_DEPTH,
  MAX_SETTINGS_VALUES,
} from "./config/document.ts";
export { disabledProviderText, modelProblem } from "./config/model_name.ts";
export {
  defaultConfig,
  MAX_SETTINGS_ISSUES,
  parseConfig,
  type ParseOptions,
} from "./config/parse.ts";
export { DEFAULT_MODEL } from "./config/agent_schema.ts";
export { DEFAULT_PORT } from "./config/gateway_schema.ts";
export { type Config, ConfigSchema } from "./config/schema.ts";
export { secretProblem } from "./config/secret_text.ts";
export { isSecret as isSecretSetting, restartKeys } from "./config/setting_tree.ts";
export {
  type BindHost,
  bindHost,
  durationMs,
  expandHome,
  type ModelChoice,
  modelChoice,
} from "./config/setting_text.ts";
export {
  type GatewaySecret,
  overriddenSettings,
  type Places,
  type Resolved,
  resolvePlaces,
  resolveSecret,
  resolveServe,
  type ServeFlags,
  type ServeSettings,
  SETTING_VARIABLES,
  SETTINGS_FILE_NAMES,
  type SettingSource,
  type Sourced,
} from "./config/sources.ts";
export {
  portIssues,
  type PortPlace,
  portsClash,
  type WantedPort,
  wantedPorts,
} from "./config/wanted_port.ts";
