/** Keeps secrets out of text that people and programs will read. */

/** Stands where a secret was. */
export const MASK = "***";

/** Shortest known secret, in characters, that is looked for inside text; shorter ones are words. */
export const MIN_SECRET_CHARS = 4;

/** Longest text that is searched, in characters; the rest is cut off, as no reader shows more. */
export const MAX_SEARCHED_CHARS = 8_192;

const SECRET_WORDS =
  "token|passw(?:or)?d|passphrase|secret|api[-_]?key|private[-_]?key|authorization|cookie|signature|nonce|credential";

const SECRET_NAME = new RegExp(`${SECRET_WORDS}|^(?:pass|auth|sig|key)$`, "i");

/** Whether text under this name is a secret by its name: `authToken`, `api_key`, `Set-Cookie`. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** What looks like a secret wherever it stands, and what is left of it. No pattern backtracks far. */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  // An Authorization header's value.
  [/\b(bearer|basic)\s{1,3}[\w.~+/=-]{8,}/gi, `$1 ${MASK}`],
  // A query, form or shell assignment.
  [new RegExp(`((?:${SECRET_WORDS})["']?=["']?)[^\\s"'&,;]+`, "gi"), `$1${MASK}`],
  // A header or JSON member; a word without a digit is taken for prose.
  [
    new RegExp(
      `((?:${SECRET_WORDS})\\\\?["']?\\s{0,3}:\\s{0,3}\\\\?["']?)(?=[\\w.~+/=-]{0,255}\\d)[\\w.~+/=-]{8,}`,
      "gi",
    ),
    `$1${MASK}`,
  ],
  // User and password of a URL.
  [/\/\/[^\s/@]{1,256}@/g, `//${MASK}@`],
  // Keys of model providers and forges.
  [/\b(?:sk|pk|ghp|gho|xox[abp])[-_][\w-]{16,}/g, MASK],
];

/**
 * The text with every one of `secrets` replaced by {@linkcode MASK}, also where it is percent-encoded
 * or escaped for JSON, and with what is shaped like a secret masked too. Cut to
 * {@linkcode MAX_SEARCHED_CHARS}, never in the middle of a secret.
 */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  const cut = text.length > MAX_SEARCHED_CHARS;
  let masked = cut ? text.slice(0, MAX_SEARCHED_CHARS) : text;
  for (const secret of secrets) {
    if (secret.length < MIN_SECRET_CHARS) continue;
    for (const form of formsOf(secret)) {
      masked = masked.replaceAll(form, MASK);
      if (cut) masked = withoutPartAtEnd(masked, form);
    }
  }
  for (const [shape, rest] of SHAPES) masked = masked.replace(shape, rest);
  return masked;
}

/** How a secret can appear: itself, escaped for JSON, percent-encoded. */
function formsOf(secret: string): ReadonlySet<string> {
  const whole = secret.toWellFormed();
  return new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(whole)]);
}

/** Takes away the beginning of a secret that the cut has left at the end. */
function withoutPartAtEnd(text: string, secret: string): string {
  for (let length = secret.length - 1; length >= MIN_SECRET_CHARS; length--) {
    if (text.endsWith(secret.slice(0, length))) return text.slice(0, -length) + MASK;
  }
  return text;
}
