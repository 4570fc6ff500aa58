/** The YAML form of the settings: reading with positions, and changing in place. */

import { type Document, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument } from "yaml";
import { stringify } from "yaml";
import type { Json } from "../ports/store.ts";
import { isObject, sameJson, valueAt } from "../services/json_value.ts";
import type {
  JsonObject,
  ScalarSpan,
  SettingPath,
  SettingsReading,
  TextSpan,
} from "../services/settings_codec.ts";
import { MAX_SETTINGS_DEPTH, toDocument } from "./document.ts";

/** Largest YAML text, in characters: the library takes far longer for hostile YAML than for JSON5. */
export const MAX_YAML_CHARS = 262_144;

/** Reads a YAML text. Anchors, aliases, tags and a second document are refused. Blank text is empty. */
export function readYaml(raw: string): SettingsReading {
  if (raw.length > MAX_YAML_CHARS) {
    const message = `the settings must be at most ${MAX_YAML_CHARS} characters of YAML`;
    return { ok: false, reason: "bounds", message };
  }
  const lines = new LineCounter();
  const parsed = parse(raw, lines);
  const broken = (offset: number, why: string): SettingsReading => {
    const { line, col } = lines.linePos(offset);
    const message = `the settings are not valid YAML: ${why}`;
    return { ok: false, reason: "syntax", message, line, column: col };
  };
  if (parsed === undefined) {
    const message = "the settings are nested too deep or are not valid YAML";
    return { ok: false, reason: "bounds", message };
  }
  const [error] = [...parsed.errors, ...parsed.warnings];
  // The library's own text may quote the settings, so its code speaks instead.
  if (error !== undefined) {
    return broken(error.pos[0], error.code.toLowerCase().replaceAll("_", " "));
  }
  if (parsed.directives.yaml.explicit === true) return broken(0, "directives are not allowed");
  const scalars: ScalarSpan[] = [];
  const refusal = collect(parsed.contents, [], { raw, scalars });
  if (refusal !== undefined) {
    if (refusal.reason === "syntax") return broken(refusal.offset, refusal.message);
    return { ok: false, reason: "bounds", message: `the settings: ${refusal.message}` };
  }
  const value: unknown = parsed.contents === null ? {} : parsed.toJS({ maxAliasCount: 0 });
  const outcome = toDocument(value ?? {});
  if (!outcome.ok) {
    const message = outcome.path === "" ? outcome.message : `${outcome.path} ${outcome.message}`;
    return { ok: false, reason: outcome.reason, message };
  }
  return { ok: true, text: { document: outcome.document, scalars, comments: commentsOf(raw) } };
}

/** A document as YAML. */
export function writeYaml(document: JsonObject): string {
  return stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** `raw` changed to read as `next`, comments kept. Undefined where that fails. */
export function editYaml(raw: string, next: JsonObject): string | undefined {
  const before = readYaml(raw);
  const parsed = before.ok ? parse(raw, new LineCounter()) : undefined;
  if (!before.ok || parsed === undefined || !isMap(parsed.contents)) return undefined;
  change(parsed, { path: [], before: before.text.document, after: next });
  const edited = parsed.toString({ lineWidth: 0 });
  const again = readYaml(edited);
  return again.ok && sameJson(again.text.document, next) ? edited : undefined;
}

function parse(raw: string, lineCounter: LineCounter): Document.Parsed | undefined {
  try {
    return parseDocument(raw, {
      lineCounter,
      prettyErrors: false,
      // Keys are compared below: the library's own comparison takes quadratic time.
      uniqueKeys: false,
      // Silent would pass over a second document.
      logLevel: "error",
      version: "1.2",
    });
  } catch {
    // Deep nesting ends the library's recursion.
    return undefined;
  }
}

interface Refusal {
  readonly reason: "syntax" | "bounds";
  readonly offset: number;
  readonly message: string;
}

/** Lists the scalar values under a node; the first thing that settings may not have is a refusal. */
function collect(
  node: unknown,
  path: SettingPath,
  into: { readonly raw: string; readonly scalars: ScalarSpan[] },
): Refusal | undefined {
  if (node === null || node === undefined) return undefined;
  if (path.length > MAX_SETTINGS_DEPTH) {
    const message = `nested deeper than ${MAX_SETTINGS_DEPTH} levels`;
    return { reason: "bounds", offset: 0, message };
  }
  if (!isMap(node) && !isSeq(node) && !isScalar(node)) {
    return { reason: "syntax", offset: offsetOf(node), message: "aliases are not allowed" };
  }
  if (node.anchor !== undefined) {
    return { reason: "syntax", offset: offsetOf(node), message: "anchors are not allowed" };
  }
  if (node.tag !== undefined && hasOwnTag(node, into.raw)) {
    return { reason: "syntax", offset: offsetOf(node), message: "tags are not allowed" };
  }
  if (isScalar(node)) {
    const span = scalarSpan(node.range, into.raw);
    if (span !== undefined) into.scalars.push({ path, value: scalarJson(node.value), ...span });
    return undefined;
  }
  if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) {
      const refusal = collect(item, [...path, String(index)], into);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }
  const seen = new Set<string>();
  for (const { key, value } of node.items) {
    if (!isScalar(key) || key.anchor !== undefined) {
      const message = "a key must be plain text";
      return { reason: "syntax", offset: offsetOf(key) || offsetOf(node), message };
    }
    const name = String(key.value);
    if (seen.has(name)) {
      return { reason: "syntax", offset: offsetOf(key), message: "a key is written twice" };
    }
    seen.add(name);
    const refusal = collect(value, [...path, name], into);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** Tags that the library resolved by itself are not written; one that is written begins with `!`. */
function hasOwnTag(node: { range?: readonly number[] | null }, raw: string): boolean {
  const start = node.range?.[0] ?? 0;
  const line = raw.slice(raw.lastIndexOf("\n", start - 1) + 1, start);
  return /(^|[\s:,[{-])!\S*\s*$/.test(line);
}

function offsetOf(node: unknown): number {
  if (typeof node !== "object" || node === null) return 0;
  const range: unknown = Reflect.get(node, "range");
  const start: unknown = Array.isArray(range) ? range[0] : undefined;
  return typeof start === "number" ? start : 0;
}

/** Where a scalar's text lies, without the line end that a block scalar includes; empty ones nowhere. */
function scalarSpan(
  range: readonly [number, number, number] | null | undefined,
  raw: string,
): TextSpan | undefined {
  if (range === null || range === undefined) return undefined;
  const [start] = range;
  let [, end] = range;
  while (end > start && /[\r\n]/.test(raw.charAt(end - 1))) end--;
  return end > start ? { start, end } : undefined;
}

function scalarJson(value: unknown): Json {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? value
    : null;
}

/** Comments lie between the pieces of the text that the library's lexer finds. */
function commentsOf(raw: string): readonly TextSpan[] {
  const comments: TextSpan[] = [];
  let at = 0;
  let scalarNext = false;
  for (const token of new Lexer().lex(raw)) {
    // Marks of the lexer's own, which stand for no text: document, flow end, scalar.
    if (token === "\x02" || token === "\x18") continue;
    if (token === "\x1f") {
      scalarNext = true;
      continue;
    }
    if (!scalarNext && token.startsWith("#")) comments.push({ start: at, end: at + token.length });
    scalarNext = false;
    at += token.length;
  }
  return comments;
}

function change(document: Document.Parsed, where: {
  readonly path: SettingPath;
  readonly before: JsonObject;
  readonly after: JsonObject;
}): void {
  const { path, before, after } = where;
  const node: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
  if (!isMap(node)) return;
  for (const item of [...node.items]) {
    const key = isScalar(item.key) ? String(item.key.value) : "";
    if (!Object.hasOwn(after, key)) node.items.splice(node.items.indexOf(item), 1);
  }
  for (const [key, value] of Object.entries(after)) {
    const old = valueAt(before, [key]);
    if (sameJson(old, value)) continue;
    const item = node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key);
    if (item !== undefined && isMap(item.value) && isObject(old) && isObject(value)) {
      change(document, { path: [...path, key], before: old, after: value });
    } else if (
      item !== undefined && isScalar(item.value) && !isObject(value) && !Array.isArray(value)
    ) {
      item.value.value = value;
    } else if (item !== undefined) {
      document.setIn([...path, isScalar(item.key) ? item.key.value : key], value);
    } else {
      node.items.push(document.createPair(key, value));
    }
  }
}
