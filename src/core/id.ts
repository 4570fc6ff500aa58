/**
 * Identifiers as branded strings: text becomes an identifier through its guard here and nowhere else,
 * so that a key built from an unchecked string does not compile.
 */

declare const brand: unique symbol;

/** A string that passed the guard named `Kind`. */
export type Branded<Kind extends string> = string & { readonly [brand]: Kind };

/** The owner of everything that is stored; first part of every key. */
export type TenantId = Branded<"tenant">;
/** One connection's life, from accept to close. */
export type ConnectionId = Branded<"connection">;
/** Lower-case hex SHA-256 of a device's raw Ed25519 public key. */
export type DeviceId = Branded<"device">;
/** A configured agent's name. */
export type AgentId = Branded<"agent">;
/** A canonical session key, `agent:<agent>:<rest>`. */
export type SessionKey = Branded<"session-key">;

/** Longest session key in characters; longer ones are refused where they enter. */
export const MAX_SESSION_KEY_CHARS = 512;

/**
 * A name that is safe in a key and in a file's name: lower-case ASCII letters, digits, `_` and `-`, the
 * first one a letter or digit, 1 to 64 characters. A source, so that the session key can hold it.
 */
const SAFE_NAME = "[a-z0-9][a-z0-9_-]{0,63}";
const SAFE_NAME_ALONE = new RegExp(`^${SAFE_NAME}$`);
const SESSION_KEY = new RegExp(`^agent:${SAFE_NAME}:(.+)$`, "su");

/** 1 to 64 lower-case ASCII letters, digits, `_` and `-`; begins with a letter or digit. */
export function isTenantId(text: string): text is TenantId {
  return SAFE_NAME_ALONE.test(text);
}

/** 1 to 64 ASCII letters of either case, digits and `-`: a UUID or any short token that the gateway made. */
export function isConnectionId(text: string): text is ConnectionId {
  return /^[A-Za-z0-9-]{1,64}$/.test(text);
}

/** 64 lower-case hex digits. */
export function isDeviceId(text: string): text is DeviceId {
  return /^[0-9a-f]{64}$/.test(text);
}

/** 1 to 64 lower-case ASCII letters, digits, `_` and `-`; begins with a letter or digit. */
export function isAgentId(text: string): text is AgentId {
  return SAFE_NAME_ALONE.test(text);
}

/**
 * `agent:<agent id>:<name>`, bounded, lower case. The name has no white space around it and holds no
 * character that cannot be seen: control, format (zero width, bidi) and line separator characters.
 */
export function isSessionKey(text: string): text is SessionKey {
  if (text.length > MAX_SESSION_KEY_CHARS || text !== text.toLowerCase()) return false;
  const [, name = ""] = SESSION_KEY.exec(text) ?? [];
  return /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u.test(name) && name === name.trim();
}

/** The tenant of a gateway that serves one household. */
export const DEFAULT_TENANT: TenantId = checked("default", isTenantId);

/** One name for what belongs to a tenant; U+0000 occurs in neither part. */
export function tenantKey(tenant: TenantId, id: string): string {
  return `${tenant}\0${id}`;
}

/** `text` as the identifier that `guard` accepts; throws a RangeError naming the text otherwise. */
export function checked<T extends string>(text: string, guard: (text: string) => text is T): T {
  if (guard(text)) return text;
  throw new RangeError(`not a valid identifier: ${JSON.stringify(text.slice(0, 80))}`);
}
