/** Which texts cannot be a secret, and which names and texts speak of one. */

import { REDACTED } from "../services/redaction.ts";

/** Texts that stand where a secret was meant to be. Compared in lower case without `-`, `_` and spaces. */
const PLACEHOLDERS: ReadonlySet<string> = new Set([
  "undefined",
  "null",
  "none",
  "nil",
  "nan",
  "true",
  "false",
  "[objectobject]",
  "changeme",
  "changethis",
  "replaceme",
  "replacethis",
  "placeholder",
  "example",
  "todo",
  "tbd",
  "token",
  "password",
  "secret",
  "yourtoken",
  "yourtokenhere",
  "yourpassword",
  "yourpasswordhere",
  "yoursecret",
  "yoursecrethere",
  "mytoken",
  "mypassword",
  "mysecret",
  "gatewaytoken",
  "gatewaypassword",
]);

/** Fewest characters a secret should have before it is worth a warning. */
export const MIN_SECRET_CHARS = 16;

/** Why a text cannot be a secret that guards the gateway; never repeats it. Undefined when it can. */
export function secretProblem(secret: string): string | undefined {
  const text = secret.trim();
  if (text === "") return "must not be blank; set a secret or leave the setting out";
  if (text !== secret) return "must not begin or end with blanks";
  const plain = text.toLowerCase().replace(/[-_\s]/g, "");
  const placeholder = text === REDACTED || PLACEHOLDERS.has(plain) || /^(.)\1*$/.test(plain) ||
    plain === "" || /^<.*>$|^\[.*\]$|^\{\{.*\}\}$|^\$\w+$|^\$\{.*\}$|^\$\(.*\)$/.test(text);
  return placeholder ? "is a placeholder; set a secret of your own" : undefined;
}

/** A value that is nothing but one reference to the environment. */
export function isReference(text: string): boolean {
  return /^\$\{[A-Z_][A-Z0-9_]*\}$/.test(text);
}

/** Last words of a name that speak of a secret. */
const SECRET_WORDS: ReadonlySet<string> = new Set([
  "token",
  "password",
  "passwd",
  "pass",
  "passphrase",
  "passcode",
  "pin",
  "secret",
  "secrets",
  "passwords",
  "credential",
  "credentials",
  "authorization",
  "cookie",
  "cookies",
  "bearer",
  "apikey",
  "apikeys",
  "privatekey",
  "jwt",
  "dsn",
]);

/** Words before `key` that make it a secret. */
const KEY_KINDS: ReadonlySet<string> = new Set([
  "api",
  "private",
  "secret",
  "signing",
  "encryption",
  "access",
  "auth",
  "shared",
  "master",
  "account",
  "service",
  "client",
  "app",
  "consumer",
]);

/** How much of a name is looked at, in characters from its end, where the words that count stand. */
const MAX_NAME_CHARS = 200;

/**
 * Whether the name of a key that the schema does not know speaks of a secret. `many`: it does so only
 * for text, as `tokens` counts more often than it guards, and `env` and `headers` hold either.
 */
export function secretName(name: string): "yes" | "many" | "no" {
  const words = name.slice(-MAX_NAME_CHARS)
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
  const last = words.at(-1) ?? "";
  const before = words.at(-2) ?? "";
  if (SECRET_WORDS.has(last)) return "yes";
  if ((last === "key" || last === "keys") && KEY_KINDS.has(before)) return "yes";
  if (last === "account" && before === "service") return "yes";
  // All in one word, as in MYTOKEN or dbpassword.
  if (/(token|passw(or)?d|secret|apikey)$/.test(last)) return "yes";
  return last === "tokens" || last === "env" || last === "headers" ? "many" : "no";
}

/** Whether a text carries a secret whatever its name: a password or token inside an address. */
export function carriesSecret(text: string): boolean {
  return hasUserInfo(text) ||
    /[?&#][\w.-]*(token|key|secret|passw(or)?d|signature|sig)=[^&\s]/i.test(text);
}

/** Whether an address inside the text names a user and a password. Takes time linear in the text. */
function hasUserInfo(text: string): boolean {
  for (const match of text.matchAll(/:\/\/([^/?#\s@]*)@/g)) {
    const user = match[1] ?? "";
    const colon = user.indexOf(":");
    const scheme = /[a-z0-9+.-]/i.test(text.charAt(match.index - 1));
    if (scheme && colon >= 0 && colon < user.length - 1) return true;
  }
  return false;
}
