/** Where a configured provider is called, and with what. */

import type { FaultSource } from "./provider_fault.ts";

/** The wire that a provider speaks, as the configuration names it. */
export type ProviderApi = "openai-completions" | "anthropic-messages";

/** One model of a provider, as the configuration lists it. */
export interface ProviderModelOptions {
  /** Its name at the provider. */
  readonly id: string;
  readonly name?: string;
  /** In tokens. */
  readonly contextWindow?: number;
  /** The model thinks before it answers, so a thinking level is sent to it. */
  readonly reasoning?: boolean;
  /** Most tokens of one answer. */
  readonly maxTokens?: number;
}

/** One entry of `models.providers`, parsed. */
export interface ProviderOptions {
  readonly id: string;
  /** Http or https; the path as the provider documents it, for Anthropic with or without `/v1`. */
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly api: ProviderApi;
  /** Sent with every request; an `Authorization` here wins over the key and over credentials in `baseUrl`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** In the order in which they are shown. Empty: any model may be asked for, none is listed. */
  readonly models: readonly ProviderModelOptions[];
  /** Variables of the environment that it needs and that are not set; while there are any, it is not called. */
  readonly unset?: readonly string[];
}

/** A provider, ready to be called. */
export interface ProviderEndpoint {
  readonly api: ProviderApi;
  /** Without credentials, query and trailing slash; for Anthropic it ends in the version. */
  readonly baseUrl: string;
  /** What `baseUrl` had as its query; added to every request. */
  readonly query: string;
  readonly apiKey?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Host and port, fit to be shown. */
  readonly host: string;
  readonly secrets: readonly string[];
}

/** A shorter header value is a flag, not a secret; masking it would garble every message. */
const MIN_SECRET_HEADER_CHARS = 4;

/**
 * Reads where and how to call a provider. A string is the reason why it cannot be called: a
 * predicate without any value of the configuration, which may be secret.
 */
export function readEndpoint(options: ProviderOptions): ProviderEndpoint | string {
  const url = URL.parse(options.baseUrl.trim());
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    return "has a baseUrl that is not an http or https address";
  }
  const credentials = decodeCredentials(url);
  if (credentials === undefined) return "has credentials in its baseUrl that cannot be decoded";

  const headers = new Map<string, string>();
  if (credentials.user !== "" || credentials.password !== "") {
    headers.set("authorization", basicAuthorization(credentials));
  }
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value)) {
      return "has a header that cannot be sent: names are letters, digits and dashes, values are one line of ASCII";
    }
    headers.set(name.toLowerCase(), value);
  }
  const apiKey = options.apiKey?.trim();
  if (apiKey !== undefined && !HEADER_VALUE.test(apiKey)) {
    return "has an apiKey that cannot be sent: a key is one line of ASCII";
  }

  const path = url.pathname.replace(/\/+$/, "");
  const versioned = options.api === "anthropic-messages" && !/\/v\d+$/.test(path)
    ? `${path}/v1`
    : path;
  return {
    api: options.api,
    baseUrl: `${url.origin}${versioned}`,
    query: url.search,
    apiKey: apiKey === "" ? undefined : apiKey,
    headers: Object.fromEntries(headers),
    host: url.host,
    secrets: secretsOf({ url, apiKey, headers, credentials }),
  };
}

/** Names the model for messages about what went wrong with it. */
export function faultSource(
  provider: string,
  asked: { model: string; file: string; endpoint?: ProviderEndpoint },
): FaultSource {
  return {
    provider,
    model: asked.model,
    file: asked.file,
    host: asked.endpoint?.host ?? "",
    secrets: asked.endpoint?.secrets ?? [],
  };
}

interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** RFC 9110: a token. */
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]{1,128}$/;
/** Visible ASCII, spaces and tabs: what every server takes. */
const HEADER_VALUE = /^[\t\x20-\x7e]{0,8192}$/;

function decodeCredentials(url: URL): Credentials | undefined {
  try {
    return {
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    };
  } catch {
    return undefined;
  }
}

function basicAuthorization({ user, password }: Credentials): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}`;
}

function secretsOf(
  held: {
    url: URL;
    apiKey?: string;
    headers: ReadonlyMap<string, string>;
    credentials: Credentials;
  },
): readonly string[] {
  const { url, apiKey, headers, credentials } = held;
  const values = [...headers.values()];
  const flagged = [
    ...values,
    // "Bearer abc" is secret as a whole and in its parts.
    ...values.flatMap((value) => value.split(/\s+/)),
    ...url.searchParams.values(),
    url.username,
    credentials.user,
  ].filter((value) => value.length >= MIN_SECRET_HEADER_CHARS);
  const always = [apiKey ?? "", url.password, credentials.password];
  const secrets = new Set([...always, ...flagged].filter((value) => value !== ""));
  secrets.delete("Bearer");
  secrets.delete("Basic");
  return [...secrets];
}
