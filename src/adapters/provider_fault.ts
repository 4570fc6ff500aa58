/** What can go wrong between the gateway and a model provider, put into sentences without secrets. */

import { isJsonObject, parseJson } from "../core/json.ts";
import { escapeText, quote } from "../core/quote.ts";
import { ModelError } from "../ports/model.ts";

/** Longest quotation of a provider's own message, in characters: enough for its first sentences. */
const MAX_PROVIDER_MESSAGE_CHARS = 300;

/** A failure of one attempt to get an answer. */
export interface Fault {
  /** What the person who asked gets to see. */
  readonly error: ModelError;
  /** The same request may be sent again at once: nothing was answered and little time was lost. */
  readonly repeat: boolean;
  /** How long the provider asks to wait before that, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** Whose failure it is. */
export interface FaultSource {
  /** `provider/id` of the model that was asked. */
  readonly model: string;
  /** The provider's id in the configuration. */
  readonly provider: string;
  /** Host and port that were called; never a path, a query or credentials. */
  readonly host: string;
  /** The settings file that counts, by its name, for advice. */
  readonly file: string;
  /** What must never be shown: keys, header values, passwords. */
  readonly secrets: readonly string[];
}

/** What an HTTP answer other than 200 said. */
export interface HttpFailure {
  readonly status: number;
  /** The start of its body. */
  readonly body: string;
  /** Its `Retry-After` in milliseconds, if it was a number of seconds. */
  readonly retryAfterMs?: number;
}

/** The provider answered with a status other than 200, or named one in its stream. */
export function httpFault(source: FaultSource, failure: HttpFailure): Fault {
  const { status } = failure;
  const said = quotedMessage(source, messageOf(failure.body));
  const error = new ModelError(
    `${subject(source)} answered ${status}${said}: ${adviceFor(status, source)}.`,
    { status, retryable: isRetryable(status) },
  );
  return { error, repeat: isRetryable(status), retryAfterMs: failure.retryAfterMs };
}

/** The provider reported a failure inside its stream. `thrown` is what the library made of it. */
export function streamFault(source: FaultSource, thrown: unknown): Fault {
  if (FOREIGN_FORMAT.has(nameOf(thrown))) {
    return fault(
      source,
      `sent an answer that cannot be read: check ${setting(source, "api")} and ${
        setting(source, "baseUrl")
      } in ${source.file}`,
    );
  }
  const said = typeof thrown === "string"
    ? thrown
    : thrown instanceof Error
    ? thrown.message
    : isJsonObject(thrown) && typeof thrown.message === "string"
    ? thrown.message
    : "";
  const status = isJsonObject(thrown) ? statusIn(thrown) : undefined;
  if (status !== undefined) return httpFault(source, { status, body: said });
  return fault(
    source,
    `failed while it answered${quotedMessage(source, said)}: send the message again`,
    { retryable: true, repeat: false },
  );
}

/** The connection could not be made or broke before there was an answer. */
export function connectionFault(source: FaultSource, thrown: unknown): Fault {
  const detail = thrown instanceof Error
    ? `${thrown.message} ${thrown.cause instanceof Error ? thrown.cause.message : ""}`
    : "";
  const known = CONNECTION_FAILURES.find(({ pattern }) => pattern.test(detail));
  const what = known?.what ?? "cannot be reached at";
  const advice = known?.advice ?? "check the network and";
  return fault(
    source,
    `${what} ${quote(source.host)}: ${advice} ${setting(source, "baseUrl")} in ${source.file}`,
    { retryable: true, repeat: true },
  );
}

/** The connection broke, or the stream ended, in the middle of the answer. */
export function brokenFault(source: FaultSource): Fault {
  return fault(
    source,
    "broke off before its answer was complete: send the message again, and look into the " +
      "provider's own log if it happens often",
    { retryable: true, repeat: true },
  );
}

/** Nothing came for `waitedMs`. */
export function silenceFault(source: FaultSource, waitedMs: number): Fault {
  return fault(
    source,
    `sent nothing for ${Math.round(waitedMs / 1000)} seconds: check that the provider at ${
      quote(source.host)
    } is not overloaded, then send the message again`,
    { retryable: true, repeat: false },
  );
}

/** A failure that asking again will not mend, unless `options` says otherwise; `what` is the predicate. */
export function fault(
  source: FaultSource,
  what: string,
  options: { retryable?: boolean; repeat?: boolean } = {},
): Fault {
  const error = new ModelError(`${subject(source)} ${what}.`, {
    retryable: options.retryable ?? false,
  });
  return { error, repeat: options.repeat ?? false };
}

/** The path of one setting of the provider, for advice. */
export function setting(source: FaultSource, key: string): string {
  return `models.providers.${escapeText(source.provider)}.${key}`;
}

/** Replaces every secret, and whatever else looks like a key, by `***`. */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  let masked = text;
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret !== "") masked = masked.replaceAll(secret, "***");
  }
  for (const { pattern, replacement } of KEY_SHAPES) masked = masked.replace(pattern, replacement);
  return masked;
}

/** Shapes of keys that are masked though the configuration does not hold them. */
const KEY_SHAPES = [
  { pattern: /\b(?:sk|pk|rk|gsk|xai|hf|r8)[-_][\w*.-]{4,}/g, replacement: "***" },
  { pattern: /\bAIza[\w-]{10,}/g, replacement: "***" },
  { pattern: /\b(bearer|basic)\s+[\w+/=.~*-]{4,}/gi, replacement: "$1 ***" },
  { pattern: /\/\/[^\s/@]{1,256}@/g, replacement: "//***@" },
] as const;

/**
 * Errors of the library that mean: this is not the API that the configuration names. What a provider
 * itself reports never comes as a plain `Error`.
 */
const FOREIGN_FORMAT: ReadonlySet<string> = new Set([
  "Error",
  "AI_JSONParseError",
  "AI_TypeValidationError",
]);

/** How the platform words a failed connection, and what to do about each. */
const CONNECTION_FAILURES = [
  {
    pattern: /connection refused/i,
    what: "refused the connection at",
    advice: "start the provider there or mend",
  },
  {
    pattern: /dns error|failed to lookup|name or service not known|nodename nor servname/i,
    what: "has a host name that does not resolve,",
    advice: "check the network or mend",
  },
  {
    pattern: /certificate|\btls\b|\bssl\b|handshake/i,
    what: "failed the TLS handshake at",
    advice: "check its certificate and whether http or https is meant in",
  },
  {
    pattern: /closed before message completed|reset by peer|broken pipe|unexpected eof/i,
    what: "closed the connection without an answer at",
    advice: "look into the provider's own log and check",
  },
] as const;

function subject(source: FaultSource): string {
  return escapeText(source.model);
}

function isRetryable(status: number): boolean {
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

function adviceFor(status: number, source: FaultSource): string {
  switch (status) {
    case 401:
      return `check ${setting(source, "apiKey")} in ${source.file}`;
    case 402:
      return "check the balance of the account at the provider";
    case 403:
      return `check that ${setting(source, "apiKey")} in ${source.file} may use this model`;
    case 404:
      return `check the model's id and that ${
        setting(source, "baseUrl")
      } in ${source.file} is the address that the provider documents`;
    case 413:
      return "shorten the conversation or reset the session";
    case 408:
      return "send the message again";
    case 409:
      return "send the message again in a moment";
    case 429:
      return "wait a while and send the message again, or use another model";
  }
  if (status >= 500) return "the provider has trouble; send the message again later";
  if (status >= 400) {
    return `check the settings of the model under ${
      setting(source, "models")
    } in ${source.file}, or shorten the conversation`;
  }
  return `check ${setting(source, "baseUrl")} in ${source.file}; redirects are not followed`;
}

function quotedMessage(source: FaultSource, message: string): string {
  const masked = maskSecrets(message, source.secrets).trim();
  return masked === "" ? "" : ` (${quote(masked, MAX_PROVIDER_MESSAGE_CHARS)})`;
}

/** The human part of an error body: providers agree on little more than that there is one. */
function messageOf(body: string): string {
  const text = body.trim();
  if (text.startsWith("<")) return "";
  if (!text.startsWith("{") && !text.startsWith("[")) return text;
  const parsed = parseJson(text);
  if (!parsed.ok) return text;
  const value = Array.isArray(parsed.value) ? parsed.value[0] : parsed.value;
  if (!isJsonObject(value)) return text;
  const { error, message, detail } = value;
  if (isJsonObject(error) && typeof error.message === "string") return error.message;
  for (const candidate of [error, message, detail]) {
    if (typeof candidate === "string") return candidate;
  }
  return text;
}

function statusIn(error: Readonly<Record<string, unknown>>): number | undefined {
  for (const candidate of [error.statusCode, error.status, error.code]) {
    if (typeof candidate !== "number" && typeof candidate !== "string") continue;
    const status = Number(candidate);
    if (Number.isInteger(status) && status >= 400 && status <= 599) return status;
  }
  return undefined;
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : "";
}
