/** Hides the secrets of the settings from those who read them, and puts them back when they write. */

import type { Json } from "../ports/store.ts";
import { isObject, sameJson } from "./json_value.ts";
import type {
  JsonObject,
  SettingPath,
  SettingsCodec,
  SettingsIssue,
  SettingsText,
  TextSpan,
} from "./settings_codec.ts";

/** Stands where a secret was left out. Written back at the same place, it means "as it was". */
export const REDACTED = "__CLAWGATE_REDACTED__";

/** Shortest secret, in characters, that is also looked for inside comments; shorter ones are words. */
const MIN_SOUGHT_CHARS = 4;

/** What redaction asks of the codec. */
type Rules = Pick<SettingsCodec<unknown>, "read" | "literal" | "isSecret">;

/** The document with {@linkcode REDACTED} in place of every secret. */
export function redactDocument(document: JsonObject, rules: Pick<Rules, "isSecret">): JsonObject {
  return redactObject(document, [], rules);
}

/**
 * The text with every secret replaced in place, comments and layout kept; secrets in comments go too.
 * Undefined when the outcome would not read as the redacted document: then nothing may be shown.
 */
export function redactText(raw: string, text: SettingsText, rules: Rules): string | undefined {
  const secrets = secretsOf(text, rules);
  const edits: Edit[] = [];
  for (const scalar of text.scalars) {
    if (!rules.isSecret(scalar.path, scalar.value)) continue;
    edits.push({ ...scalar, text: rules.literal(REDACTED) });
  }
  for (const comment of text.comments) {
    const before = raw.slice(comment.start, comment.end);
    const after = redactComment(before, secrets);
    if (after !== before) edits.push({ ...comment, text: after });
  }
  const redacted = applyEdits(raw, edits);
  const reading = rules.read(redacted);
  if (!reading.ok || !sameJson(reading.text.document, redactDocument(text.document, rules))) {
    return undefined;
  }
  return redacted;
}

/** What became of a text or document that may hold {@linkcode REDACTED}. */
export type Restored<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly issues: readonly SettingsIssue[] };

/** A settings text together with its raw form. */
export interface RawText {
  readonly raw: string;
  readonly text: SettingsText;
}

/**
 * The submitted text with each marker replaced by the secret that stands at the same path in
 * `current`. Elements of lists are matched by their `id` where they have one, else by index. A marker
 * where no secret stood, or inside a longer value, is an issue.
 */
export function restoreText(
  submitted: RawText,
  options: { readonly current: RawText | undefined; readonly rules: Rules },
): Restored<string> {
  const { current, rules } = options;
  const issues: SettingsIssue[] = [];
  const edits: Edit[] = [];
  for (const scalar of submitted.text.scalars) {
    const found = originalOf(scalar.value, scalar.path, {
      submitted: submitted.text.document,
      current: current?.text.document,
      rules,
    });
    if (found === undefined) continue;
    if (found.ok) edits.push({ ...scalar, text: rules.literal(found.value) });
    else issues.push(...found.issues);
  }
  if (issues.length > 0) return { ok: false, issues };
  if (current !== undefined) edits.push(...restoreComments(submitted, current, rules));
  return { ok: true, value: applyEdits(submitted.raw, edits) };
}

/** {@linkcode restoreText} for a document that has no text of its own, as a merged patch. */
export function restoreDocument(
  submitted: JsonObject,
  options: { readonly current: JsonObject; readonly rules: Pick<Rules, "isSecret"> },
): Restored<JsonObject> {
  const issues: SettingsIssue[] = [];
  const restore = (value: Json, path: SettingPath): Json => {
    if (Array.isArray(value)) {
      return value.map((element, index) => restore(element, [...path, String(index)]));
    }
    if (isObject(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([key, member]) => [key, restore(member, [...path, key])]),
      );
    }
    const found = originalOf(value, path, { submitted, ...options });
    if (found === undefined) return value;
    if (found.ok) return found.value;
    issues.push(...found.issues);
    return value;
  };
  const restored = restore(submitted, []);
  if (issues.length > 0 || !isObject(restored)) return { ok: false, issues };
  return { ok: true, value: restored };
}

interface Edit extends TextSpan {
  readonly text: string;
}

function applyEdits(raw: string, edits: readonly Edit[]): string {
  let out = "";
  let at = 0;
  for (const edit of edits.toSorted((left, right) => left.start - right.start)) {
    out += raw.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return out + raw.slice(at);
}

function redactObject(value: JsonObject, path: SettingPath, rules: Pick<Rules, "isSecret">) {
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, redactValue(member, [...path, key], rules)]),
  );
}

function redactValue(value: Json, path: SettingPath, rules: Pick<Rules, "isSecret">): Json {
  if (Array.isArray(value)) {
    return value.map((element, index) => redactValue(element, [...path, String(index)], rules));
  }
  if (isObject(value)) return redactObject(value, path, rules);
  return rules.isSecret(path, value) ? REDACTED : value;
}

function secretsOf(text: SettingsText, rules: Pick<Rules, "isSecret">): readonly string[] {
  const secrets = new Set<string>();
  for (const { path, value } of text.scalars) {
    if (rules.isSecret(path, value)) secrets.add(String(value));
  }
  // Longest first, so that a secret that contains another leaves no remainder.
  return [...secrets].filter((secret) => secret.length >= MIN_SOUGHT_CHARS)
    .sort((left, right) => right.length - left.length);
}

/** A setting that was commented out: a name that speaks of a secret, then its value to the line's end. */
const COMMENTED_SECRET =
  /([\w$.-]*(?:token|passw|passphrase|secret|api[-_]?key|private[-_]?key|credential|authorization|cookie)[\w$.-]*["']?[ \t]*[:=][ \t]*)(\S[^\r\n]*?)([ \t]*(?:\*\/)?)$/gim;

/** An opaque word: at least 20 characters with a letter and a digit among them. */
const OPAQUE_WORD = /\b(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{20,}/g;

function redactComment(comment: string, secrets: readonly string[]): string {
  let text = comment;
  for (const secret of secrets) text = text.replaceAll(secret, REDACTED);
  return text
    .replace(
      COMMENTED_SECRET,
      (_match, name: string, _value: string, end: string) => `${name}${REDACTED}${end}`,
    )
    .replace(OPAQUE_WORD, REDACTED);
}

/** Comments that come back as they were shown get their hidden part again, in the order of the text. */
function restoreComments(submitted: RawText, current: RawText, rules: Rules): readonly Edit[] {
  const secrets = secretsOf(current.text, rules);
  const originals = new Map<string, string[]>();
  for (const span of current.text.comments) {
    const original = current.raw.slice(span.start, span.end);
    const shown = redactComment(original, secrets);
    if (shown === original) continue;
    originals.set(shown, [...originals.get(shown) ?? [], original]);
  }
  const edits: Edit[] = [];
  for (const span of submitted.text.comments) {
    const original = originals.get(submitted.raw.slice(span.start, span.end))?.shift();
    if (original !== undefined) edits.push({ ...span, text: original });
  }
  return edits;
}

/** The secret a marker stands for; undefined for a value that holds no marker. */
function originalOf(value: Json, path: SettingPath, options: {
  readonly submitted: JsonObject;
  readonly current: JsonObject | undefined;
  readonly rules: Pick<Rules, "isSecret">;
}): Restored<Json> | undefined {
  if (typeof value !== "string" || !value.includes(REDACTED)) return undefined;
  const where = path.join(".");
  if (value !== REDACTED) {
    const message = `contains ${REDACTED} inside a longer value; write the whole value anew`;
    return { ok: false, issues: [{ path: where, message }] };
  }
  const original = options.current === undefined
    ? undefined
    : counterpart(path, options.submitted, options.current);
  const known = original !== undefined && original !== REDACTED &&
    options.rules.isSecret(path, original);
  if (known) return { ok: true, value: original };
  const message = `is ${REDACTED}, but no secret was set there; write the value itself`;
  return { ok: false, issues: [{ path: where, message }] };
}

/** The value of `current` that belongs at `path` of `submitted`. */
function counterpart(
  path: SettingPath,
  submitted: JsonObject,
  current: JsonObject,
): Json | undefined {
  let mine: Json | undefined = submitted;
  let theirs: Json | undefined = current;
  for (const key of path) {
    if (Array.isArray(mine)) {
      const index = Number(key);
      mine = mine[index];
      theirs = Array.isArray(theirs) ? elementLike(mine, index, theirs) : undefined;
    } else {
      mine = isObject(mine) ? mine[key] : undefined;
      theirs = isObject(theirs) && Object.hasOwn(theirs, key) ? theirs[key] : undefined;
    }
  }
  return theirs;
}

function elementLike(
  mine: Json | undefined,
  index: number,
  theirs: readonly Json[],
): Json | undefined {
  const id = idOf(mine);
  if (idOf(theirs[index]) === id) return theirs[index];
  if (id === undefined) return undefined;
  const matches = theirs.filter((element) => idOf(element) === id);
  return matches.length === 1 ? matches[0] : undefined;
}

function idOf(value: Json | undefined): string | undefined {
  return isObject(value) && typeof value.id === "string" ? value.id : undefined;
}
