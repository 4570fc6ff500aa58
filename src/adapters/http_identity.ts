/** The identity service over HTTP: one POST, no redirect, bounded in time and size. */

import { isJsonObject, parseJson } from "../core/json.ts";
import { escapeText } from "../core/quote.ts";
import type { IdentityAnswer, IdentityService } from "../ports/identity.ts";
import type { Json } from "../ports/store.ts";

/** Longest answer of the service, in bytes; a longer one counts as `service_unavailable`. */
export const MAX_IDENTITY_ANSWER_BYTES = 64 * 1024;

/** Longest code that is passed on, in characters. */
const MAX_CODE_CHARS = 64;

/** Longest name and address of a picture, in characters; longer ones are left out. */
const MAX_NAME_CHARS = 256;
const MAX_AVATAR_CHARS = 2_048;

/** Most of what else the service tells of a user, in characters of JSON; more is left out. */
const MAX_EXTRA_CHARS = 16 * 1024;

/** Asks over HTTP or HTTPS. The address is the operator's, so that loopback is as good as any. */
export function httpIdentity(): IdentityService {
  return {
    async verify({ endpoint, timeoutMs, shown }, signal) {
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), timeoutMs);
      try {
        const response = await fetch(endpoint, {
          method: "POST",
          headers: { "content-type": "application/json", accept: "application/json" },
          body: JSON.stringify(shown),
          // Whoever the service names in a redirect was not named by the operator.
          redirect: "manual",
          signal: AbortSignal.any([signal, late.signal]),
        });
        const text = await boundedText(response);
        if (text === undefined) return UNAVAILABLE;
        return read(text, response);
      } catch {
        return late.signal.aborted ? { ok: false, code: "timeout", refused: false } : UNAVAILABLE;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

const UNAVAILABLE: IdentityAnswer = { ok: false, code: "service_unavailable", refused: false };

/** The body, or undefined where it is longer than it may be. */
async function boundedText(response: Response): Promise<string | undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_IDENTITY_ANSWER_BYTES) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function read(text: string, { ok, status }: Response): IdentityAnswer {
  const parsed = parseJson(text);
  const answer = parsed.ok && isJsonObject(parsed.value) ? parsed.value : undefined;
  if (!ok) {
    if (status < 400 || status >= 500) return UNAVAILABLE;
    return answer === undefined ? REFUSED : refusal(answer);
  }
  if (answer === undefined) return UNAVAILABLE;
  if (answer.success !== true) return refusal(answer);
  const data = isJsonObject(answer.data) ? answer.data : {};
  const userId = typeof data.userId === "number" && Number.isSafeInteger(data.userId)
    ? String(data.userId)
    : data.userId;
  if (typeof userId !== "string") return REFUSED;
  const username = shortText(data.username, MAX_NAME_CHARS);
  const avatar = shortText(data.avatar, MAX_AVATAR_CHARS);
  return {
    ok: true,
    userId,
    ...(username === undefined ? {} : { username }),
    ...(avatar === undefined ? {} : { avatar }),
    ...extraOf(data.extra),
  };
}

const REFUSED: IdentityAnswer = { ok: false, code: "auth_failed", refused: true };

function refusal({ error }: Readonly<Record<string, unknown>>): IdentityAnswer {
  if (typeof error !== "string" || error.trim() === "") return REFUSED;
  return { ok: false, code: escapeText(error.trim(), MAX_CODE_CHARS), refused: true };
}

function shortText(value: unknown, limit: number): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= limit ? value : undefined;
}

function extraOf(value: unknown): { readonly extra?: Json } {
  const text = value === undefined ? undefined : JSON.stringify(value);
  if (text === undefined || text.length > MAX_EXTRA_CHARS) return {};
  const copy: Json = JSON.parse(text);
  return { extra: copy };
}
