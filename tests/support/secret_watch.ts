/** The secrets that a test file has dealt with, and the search for them in what a gateway shows. */

/**
 * How much of a secret gives it away, in characters; also the shortest secret that is looked for, as a
 * shorter one may be a word. Whoever reads so many of a token's characters is helped by them.
 */
export const TELLING_CHARS = 12;

/** Something that a gateway has shown to somebody. */
export interface Shown {
  /** Names it in a failure, e.g. `stderr`. */
  readonly place: string;
  readonly text: string;
}

/** Names of members whose values are secrets, in parameters and settings. */
const SECRET_MEMBERS: ReadonlySet<string> = new Set([
  "token",
  "deviceToken",
  "password",
  "nonce",
  "signature",
  "apiKey",
]);

/** Remembers secrets by how they begin, so that a search costs the same for one and for thousands. */
export class SecretWatch {
  readonly #names = new Map<string, string>();
  readonly #refusals = new Set<string>();

  /** Remembers a secret under a name for failures; what is too short to tell apart from words is not. */
  add(name: string, secret: unknown): void {
    if (typeof secret !== "string" || secret.length < TELLING_CHARS) return;
    for (const form of formsOf(secret)) this.#names.set(form.slice(0, TELLING_CHARS), name);
  }

  /** Remembers what stands under the name of a secret anywhere in a value. */
  addMembers(where: string, value: unknown): void {
    if (typeof value !== "object" || value === null) return;
    for (const [name, member] of Object.entries(value)) {
      if (SECRET_MEMBERS.has(name)) this.add(`${name} of ${where}`, member);
      this.addMembers(where, member);
    }
  }

  /** Keeps an error that a client was answered with, or the reason of a close, for the next search. */
  refused(text: string): void {
    this.#refusals.add(text);
  }

  /** How many secrets are known, each of their forms counted. */
  get size(): number {
    return this.#names.size;
  }

  /** `place holds …` for each secret in each text, once. Never the secret itself. */
  leaks(shown: readonly Shown[]): string[] {
    const found = new Set<string>();
    for (const { place, text } of shown) {
      for (let at = 0; at + TELLING_CHARS <= text.length; at++) {
        const name = this.#names.get(text.slice(at, at + TELLING_CHARS));
        if (name !== undefined) found.add(`${place} holds ${name}`);
      }
    }
    return [...found];
  }

  /** Fails where a text, or an error that a client was answered with since the last time, holds a secret. */
  assertHidden(shown: readonly Shown[]): void {
    const refusals = [...this.#refusals].map((text) => ({ place: "an error answer", text }));
    this.#refusals.clear();
    const leaks = this.leaks([...shown, ...refusals]);
    if (leaks.length > 0) throw new Error(`a secret is shown: ${leaks.join("; ")}`);
  }
}

/** What this test file knows: every support client and every gateway process adds to it. */
export const SECRETS: SecretWatch = new SecretWatch();

/** The one line that shows a secret on purpose: a first start names the token it has made. */
const MADE_TOKEN = /^token +(\S+) {2}\(made at this first start; keep it\)$/m;

/** What a gateway printed, without that line, if it names the token and stands there once. */
export function withoutMadeToken(out: string, token: string): string {
  const line = MADE_TOKEN.exec(out);
  return line !== null && token !== "" && line[1] === token
    ? out.slice(0, line.index) + out.slice(line.index + line[0].length)
    : out;
}

/** How a secret can appear: itself, escaped for JSON, percent-encoded, in base64. */
function formsOf(secret: string): readonly string[] {
  const whole = secret.toWellFormed();
  const bytes = new TextEncoder().encode(whole);
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(whole),
    btoa(
      Array.from(bytes.subarray(0, TELLING_CHARS), (byte) => String.fromCharCode(byte)).join(""),
    ),
  ];
}
