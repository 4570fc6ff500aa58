/** All models of the gateway behind one port: the configured providers and the embedded one. */

import { basename } from "node:path";
import { escapeText, quote } from "../core/quote.ts";
import type { Clock } from "../ports/clock.ts";
import { ModelError, type ModelPort } from "../ports/model.ts";
import { isLocalModel, localModel } from "./local_model.ts";
import type { ProviderOptions } from "./provider_endpoint.ts";
import { providerModel } from "./provider_model.ts";

/** What the catalog is made of. */
export interface ModelCatalogOptions {
  /** `models.providers` in the order of the configuration; of two with one id the first counts. */
  readonly providers: readonly ProviderOptions[];
  readonly clock: Clock;
  /** The path of the settings file that counts, read at each failure, which tells its name alone. */
  readonly settingsFile?: () => string;
  /** See {@linkcode localModel}. */
  readonly partDelayMs?: number;
}

/**
 * Sends each request to the provider before the first `/` of its model; the rest, which may hold
 * more of them, is the model's id there. `local/assistant` and `local/echo` are the embedded model,
 * unless the configuration has a provider `local` that lists a model of that id. Nothing is loaded
 * or called before the first request.
 */
export function modelCatalog(options: ModelCatalogOptions): ModelPort {
  const { clock, partDelayMs, settingsFile } = options;
  const named = settingsFile === undefined
    ? {}
    : { settingsFile: () => escapeText(basename(settingsFile())) };
  const embedded = localModel({ clock, partDelayMs });
  const providers = new Map<string, ModelPort>();
  for (const provider of options.providers) {
    if (!providers.has(provider.id)) {
      providers.set(provider.id, providerModel(provider, { clock, ...named }));
    }
  }
  const infos = [
    ...[...providers.values()].flatMap((provider) => provider.list()),
    ...embedded.list(),
  ];

  function find(model: string): ModelPort {
    const slash = model.indexOf("/");
    const provider = providers.get(model.slice(0, Math.max(0, slash)));
    if (isLocalModel(model)) {
      const id = model.slice(slash + 1);
      const listed = provider?.list().some((info) => info.id === id) ?? false;
      return provider !== undefined && listed ? provider : embedded;
    }
    if (provider !== undefined) return provider;
    throw new ModelError(
      `model ${
        quote(model)
      } has no provider: name it as provider/model, the provider being one of ${
        knownProviders([...providers.keys()])
      }.`,
    );
  }

  return {
    list: () => infos,
    stream: (request, signal) => {
      signal.throwIfAborted();
      return find(request.model).stream(request, signal);
    },
  };
}

/** Most providers named in a message. */
const MAX_NAMED_PROVIDERS = 10;

function knownProviders(ids: readonly string[]): string {
  const named = [...new Set([...ids.slice(0, MAX_NAMED_PROVIDERS), "local"])];
  const more = ids.length > MAX_NAMED_PROVIDERS ? ", …" : "";
  return `${named.map((id) => quote(id)).join(", ")}${more}`;
}
