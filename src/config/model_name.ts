/** Which models the settings name, and whether a provider of the settings has them. */

import { isLocalModel, LOCAL_MODEL_ALIASES } from "../adapters/local_model.ts";
import { quote } from "../core/quote.ts";
import { findModel } from "../services/models.ts";
import { DEFAULT_MODEL } from "./agent_schema.ts";
import type { Config } from "./schema.ts";
import { providerOptions } from "./service_options.ts";
import { modelChoice } from "./setting_text.ts";

/** Longest name quoted in a message, in characters. */
const MAX_NAME_CHARS = 80;

/** Most variables named in a message. */
const MAX_NAMED_VARIABLES = 5;

/** What to tell of a provider that is disabled, for the variables that it waits for. */
export function disabledProviderText(id: string, unset: readonly string[]): string {
  const names = unset.slice(0, MAX_NAMED_VARIABLES).join(", ");
  const more = unset.length > MAX_NAMED_VARIABLES ? ", …" : "";
  return `the provider ${quote(id, MAX_NAME_CHARS)} is disabled, as ${names}${more} ` +
    `${unset.length === 1 ? "is" : "are"} not set in the gateway's environment`;
}

/** A setting that names a model. */
export interface ModelSetting {
  /** Keys joined by dots. */
  readonly path: string;
  readonly model: string;
}

/** Every setting that names a model, the default first. */
export function modelSettings(config: Config): readonly ModelSetting[] {
  const { defaults, list } = config.agents;
  const settings = [
    { path: "agents.defaults.model", setting: defaults.model },
    ...list.map(({ model }, index) => ({ path: `agents.list.${index}.model`, setting: model })),
  ];
  return settings.flatMap(({ path, setting }) => {
    if (setting === undefined) return [];
    const model = modelChoice(setting).primary;
    if (model === undefined) return [];
    return [{ path: typeof setting === "string" ? path : `${path}.primary`, model }];
  });
}

/**
 * Why a model cannot be asked with these settings, as a predicate; undefined when it can, as far as the
 * settings tell: a provider that lists no models is taken to have every one, and one that is disabled
 * has what it lists.
 */
export function modelProblem(config: Config, wanted: string): string | undefined {
  const name = wanted.trim();
  const shown = quote(name, MAX_NAME_CHARS);
  const meant = Object.hasOwn(LOCAL_MODEL_ALIASES, name) ? LOCAL_MODEL_ALIASES[name] ?? name : name;
  if (name === "" || isLocalModel(meant)) return undefined;
  const providers = providerOptions(config);
  const listed = providers.flatMap(({ id: provider, models }) =>
    models.map(({ id }) => ({ id, name: id, provider }))
  );
  const [local = "", ...embedded] = DEFAULT_MODEL.split("/");
  const own = embedded.join("/");
  if (findModel([...listed, { id: own, name: own, provider: local }], meant) !== undefined) {
    return undefined;
  }
  const slash = meant.indexOf("/");
  if (slash < 1 || slash === meant.length - 1) {
    return `names the model ${shown}, which no provider lists; write it as provider/model`;
  }
  const id = meant.slice(0, slash);
  const provider = providers.find((one) => one.id === id);
  if (provider === undefined) {
    const named = quote(id, MAX_NAME_CHARS);
    if (id === "local") {
      return `names the model ${shown}, which is not there; local/assistant is`;
    }
    return Object.hasOwn(config.models.providers, id)
      ? `names the model ${shown}, but the API of the provider ${named} is not supported`
      : `names the model ${shown}, but there is no provider ${named}`;
  }
  if (provider.models.length === 0) return undefined;
  return `names the model ${shown}, which the provider ${quote(id, MAX_NAME_CHARS)} does not list`;
}
