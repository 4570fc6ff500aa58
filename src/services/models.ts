/** Which models there are, and what a name of one means. */

import { GatewayError, invalidRequest } from "../core/error.ts";
import { quote } from "../core/quote.ts";
import type { ModelDefaults } from "./sessions.ts";
import type { ModelInfo, ModelPart, ModelPort, ModelRequest } from "../ports/model.ts";

/** Most models named in an error message; a catalog can hold hundreds. */
const MAX_NAMED_MODELS = 8;

/** What the models service is made of. */
export interface ModelsOptions {
  readonly port: ModelPort;
  /** The configured default as it is written; absent: the first model of the catalog. Read live. */
  readonly defaultModel: () => string | undefined;
  /** Short names and the models that they stand for. Read live. */
  readonly aliases?: () => Readonly<Record<string, string>>;
}

/** The catalog of models, and the way to ask them. */
export class Models {
  readonly #options: ModelsOptions;

  constructor(options: ModelsOptions) {
    this.#options = options;
  }

  /** Every model that can be asked, in the order of the configuration, the embedded one last. */
  list(): readonly ModelInfo[] {
    return this.#options.port.list();
  }

  /**
   * The model that a name means: `provider/id`, a bare id or an alias, letter case ignored where the
   * exact name is not there. Absent or empty: the default. The configured default is taken at its word
   * even when the catalog does not list it, as a provider may serve more than it lists. Throws
   * `INVALID_REQUEST` when the name is unknown.
   */
  resolve(wanted: string | undefined): ModelInfo {
    const fallback = this.#options.defaultModel()?.trim();
    const name = wanted?.trim() || fallback || undefined;
    const models = this.list();
    if (name === undefined) {
      const [first] = models;
      if (first !== undefined) return first;
      throw invalidRequest("no model is configured: add one under models.providers");
    }
    const found = findModel(models, this.#meaning(name));
    if (found !== undefined) return found;
    if (name === fallback) {
      const named = byName(this.#meaning(name));
      if (named !== undefined) return named;
    }
    throw invalidRequest(`unknown model ${quote(name)}; use one of ${known(models)}`);
  }

  /** As {@linkcode resolve}, for a name from the owner's configuration: `provider/id` is taken at its word. */
  resolveConfigured(wanted: string | undefined): ModelInfo {
    const name = wanted?.trim();
    if (!name) return this.resolve(undefined);
    const meant = this.#meaning(name);
    return findModel(this.list(), meant) ?? byName(meant) ?? this.resolve(name);
  }

  /** What lists show of a configured model; nulls when there is no such model. */
  described(wanted: string | undefined): ModelDefaults {
    try {
      const { provider, id, contextWindow = null } = this.resolveConfigured(wanted);
      return { modelProvider: provider, model: id, contextTokens: contextWindow };
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return { modelProvider: null, model: null, contextTokens: null };
    }
  }

  /** Asks a model; see {@linkcode ModelPort.stream}. */
  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelPart> {
    return this.#options.port.stream(request, signal);
  }

  #meaning(name: string): string {
    const aliases = this.#options.aliases?.() ?? {};
    return Object.hasOwn(aliases, name) ? aliases[name] ?? name : name;
  }
}

/** A model's full name, `provider/id`. */
export function modelName(model: Pick<ModelInfo, "provider" | "id">): string {
  return `${model.provider}/${model.id}`;
}

/** The model of a list that a name means, the exact name before others: `provider/id` or a bare id, any case. */
export function findModel(models: readonly ModelInfo[], name: string): ModelInfo | undefined {
  const lower = name.toLowerCase();
  return models.find((model) => modelName(model) === name) ??
    models.find((model) => model.id === name) ??
    models.find((model) => modelName(model).toLowerCase() === lower) ??
    models.find((model) => model.id.toLowerCase() === lower);
}

/** A model known by its name alone. */
function byName(name: string): ModelInfo | undefined {
  const slash = name.indexOf("/");
  if (slash < 1 || slash === name.length - 1) return undefined;
  const id = name.slice(slash + 1);
  return { id, name: id, provider: name.slice(0, slash) };
}

function known(models: readonly ModelInfo[]): string {
  const named = models.slice(0, MAX_NAMED_MODELS).map((model) => quote(modelName(model)));
  return `${named.join(", ")}${models.length > MAX_NAMED_MODELS ? ", …" : ""}`;
}
