/** The doctor's checks of the model providers. */

import { type Config, DEFAULT_MODEL, modelChoice, modelProblem } from "../config.ts";
import { escapeText, quote } from "../core/quote.ts";
import { broken, type Diagnosis, fine, warning } from "./doctor_finding.ts";

/** How long a provider may take to answer a probe, in milliseconds. */
const PROBE_TIMEOUT_MS = 5_000;
/** Most providers that are looked at. */
const MAX_PROVIDERS = 50;

type Provider = Config["models"]["providers"][string];

/** How the providers are looked at. */
export interface ProviderCheck {
  /** Whether they are asked. */
  readonly probe: boolean;
  /** Those that a running gateway has disabled, with the variables that they wait for; absent: not known. */
  readonly disabledThere?: ReadonlyMap<string, readonly string[]>;
}

/** The default model has a provider, and the providers have what they need; asks them when `probe`. */
export async function checkProviders(
  config: Config,
  options: ProviderCheck,
): Promise<readonly Diagnosis[]> {
  const { probe } = options;
  const providers = Object.entries(config.models.providers).slice(0, MAX_PROVIDERS);
  const found: Diagnosis[] = [checkDefaultModel(config, options)];
  for (const [id, provider] of providers) {
    const { models } = provider;
    if (models.length === 0) {
      found.push(warning(
        "providers",
        `provider ${quote(id, 64)} lists no models`,
        `name them in models.providers.${escapeText(id, 64)}.models`,
      ));
    }
    const waits = checkVariables(config, { ...options, id });
    if (waits !== undefined) found.push(waits);
    else if (probe) found.push(await ask(id, provider));
    else {
      const at = escapeText(originOf(provider.baseUrl), 120);
      found.push(fine("providers", `${quote(id, 64)} at ${at} (not asked; --probe does)`));
    }
  }
  return found;
}

function checkDefaultModel(config: Config, options: ProviderCheck): Diagnosis {
  const wanted = modelChoice(config.agents.defaults.model).primary ?? DEFAULT_MODEL;
  const [provider = ""] = wanted.split("/");
  const problem = modelProblem(config, wanted);
  if (problem !== undefined) {
    return broken(
      "model",
      `agents.defaults.model ${problem}`,
      "set another agents.defaults.model.primary, or add the model under models.providers",
    );
  }
  const waits = checkVariables(config, { ...options, id: provider });
  if (waits !== undefined && waits.finding !== "fine") {
    return { ...waits, check: "model", message: `the default model's ${waits.message}` };
  }
  const note = provider === "local" ? ", embedded: it needs no key and no network" : "";
  return fine("model", `the default model is ${quote(wanted, 80)}${note}`);
}

/** What a provider waits for, here or in the running gateway; undefined when it waits for nothing. */
function checkVariables(
  config: Config,
  { id, disabledThere }: ProviderCheck & { readonly id: string },
): Diagnosis | undefined {
  const { disabled = {} } = config.models;
  const here = Object.hasOwn(disabled, id) ? disabled[id] : undefined;
  const there = disabledThere?.get(id);
  const name = `provider ${quote(id, 64)}`;
  if (there !== undefined) {
    return warning(
      "providers",
      `${name} is disabled in the running gateway, which does not have ${there.join(", ")}`,
      "set it where the gateway runs, and restart the gateway",
    );
  }
  if (here === undefined) return undefined;
  const what = `${name} needs ${here.join(", ")}, not set in this shell`;
  return disabledThere === undefined
    ? warning(
      "providers",
      `${what}; the gateway may have it`,
      "set it where the gateway runs",
    )
    : fine("providers", `${what}; the running gateway has it`);
}

async function ask(id: string, provider: Provider): Promise<Diagnosis> {
  const name = quote(id, 64);
  const url = `${provider.baseUrl.replace(/\/+$/, "")}/models`;
  const at = escapeText(originOf(provider.baseUrl), 120);
  try {
    const response = await fetch(url, {
      headers: keyHeaders(provider),
      // A key goes where it was configured to go, nowhere else.
      redirect: "manual",
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (response.status === 401 || response.status === 403) {
      return broken(
        "providers",
        `${name} at ${at} refuses the key (HTTP ${response.status})`,
        `check models.providers.${escapeText(id, 64)}.apiKey`,
      );
    }
    return fine("providers", `${name} at ${at} answers (HTTP ${response.status})`);
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    return broken(
      "providers",
      `${name} at ${at} ${late ? `did not answer in ${PROBE_TIMEOUT_MS} ms` : "cannot be reached"}`,
      "check its address, and that it runs",
    );
  }
}

function keyHeaders({ api, apiKey, headers }: Provider): Record<string, string> {
  const own = { ...headers };
  if (apiKey === undefined) return own;
  return api === "anthropic-messages"
    ? { "x-api-key": apiKey, "anthropic-version": "2023-06-01", ...own }
    : { authorization: `Bearer ${apiKey}`, ...own };
}

/** An address without what could be secret in it. */
function originOf(address: string): string {
  return URL.canParse(address) ? new URL(address).origin : "an address that is none";
}
