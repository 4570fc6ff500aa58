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
  const redactComment = commentRedaction(text, rules);
  const edits: Edit[] = [];
  for (const scalar of text.scalars) {
    if (!rules.isSecret(scalar.path, scalar.value)) continue;
    edits.push({ ...scalar, text: rules.literal(REDACTED) });
  }
  for (const comment of text.comments) {
    const before = raw.slice(comment.start, comment.end);
    const after = redactComment(before);
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

/** How a text's comments are shown. Beyond the work allowed, their lines are hidden whole. */
function commentRedaction(
  text: SettingsText,
  rules: Pick<Rules, "isSecret">,
): (comment: string) => string {
  const secrets = secretsOf(text, rules);
  const chars = text.comments.reduce((sum, { start, end }) => sum + end - start, 0);
  const whole = secrets.length * chars > MAX_COMMENT_WORK;
  return (comment) => {
    let redacted = comment;
    if (!whole) {
      for (const secret of secrets) redacted = redacted.replaceAll(secret, REDACTED);
    }
    return redacted.replace(
      /[^\r\n\u2028\u2029]+/g,
      (line) => whole || line.length > MAX_COMMENT_LINE ? hiddenLine(line) : redactLine(line),
    );
  };
}

/** Secrets times characters of comments that are compared at most; some tenths of a second. */
const MAX_COMMENT_WORK = 100_000_000;

/** Longest line of a comment that is shown, in characters; people write shorter ones. */
const MAX_COMMENT_LINE = 4_096;

/** A name that speaks of a secret. */
const SECRET_NAME =
  /token|passw|passphrase|secret|api[-_]?key|private[-_]?key|credential|authorization|cookie/i;

/** Shortest opaque word, in characters, that is taken for a secret. */
const MIN_OPAQUE_CHARS = 20;

/** One line of a comment; each of its characters is looked at a fixed number of times. */
function redactLine(line: string): string {
  const value = commentedValue(line);
  const shown = value === undefined
    ? line
    : line.slice(0, value) + REDACTED + line.slice(endOfValue(line));
  return shown.replace(/[\w+=-]+/g, (word) => {
    const start = word.search(/\w/);
    const opaque = start >= 0 && word.length - start >= MIN_OPAQUE_CHARS &&
      /\d/.test(word) && /[A-Za-z]/.test(word);
    return opaque ? word.slice(0, start) + REDACTED : word;
  });
}

/** Where the value of a setting begins that was commented out under a name that speaks of a secret. */
function commentedValue(line: string): number | undefined {
  const assignment = /["']?[ \t]*[:=][ \t]*(?=\S)/y;
  for (const { 0: word, index } of line.matchAll(/[\w$.-]+/g)) {
    if (!SECRET_NAME.test(word)) continue;
    assignment.lastIndex = index + word.length;
    if (!assignment.test(line)) continue;
    return assignment.lastIndex < endOfValue(line) ? assignment.lastIndex : undefined;
  }
  return undefined;
}

/** Where the value at the end of a line ends: before blanks and the comment's own end. */
function endOfValue(line: string): number {
  const trimmed = line.trimEnd();
  return (trimmed.endsWith("*/") ? trimmed.slice(0, -2).trimEnd() : trimmed).length;
}

/** A line of which only the comment's own signs stay. */
function hiddenLine(line: string): string {
  const start = /^[ \t]*(?:\/\/|\/\*|#)?/.exec(line)?.[0].length ?? 0;
  const end = Math.max(start, endOfValue(line));
  return `${line.slice(0, start)} ${REDACTED} ${line.slice(end).trimStart()}`.trimEnd();
}

/** Comments that come back as they were shown get their hidden part again, in the order of the text. */
function restoreComments(submitted: RawText, current: RawText, rules: Rules): readonly Edit[] {
  const redactComment = commentRedaction(current.text, rules);
  const originals = new Map<string, string[]>();
  for (const span of current.text.comments) {
    const original = current.raw.slice(span.start, span.end);
    const shown = redactComment(original);
    if (shown === original) continue;
    const alike = originals.get(shown);
    if (alike === undefined) originals.set(shown, [original]);
    else alike.push(original);
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

/**
 * The value of `current` that belongs at `path` of `submitted`: elements of lists are matched by their
 * `id` where they have one, else by index.
 */
export function counterpart(
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

/** The element of `theirs` that is the same thing as `mine`, which stands at `index` of its own list. */
export function elementLike(
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
