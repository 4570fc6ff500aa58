/** The JSON5 form of the settings: reading with positions, and changing in place. */

import JSON5 from "json5";
import type { Json } from "../ports/store.ts";
import { isObject, sameJson } from "../services/json_value.ts";
import type {
  JsonObject,
  ScalarSpan,
  SettingPath,
  SettingsReading,
  TextSpan,
} from "../services/settings_codec.ts";
import { toDocument } from "./document.ts";

/** Reads a JSON5 text that is within the size bound. Blank text is an empty document. */
export function readJson5(raw: string): SettingsReading {
  if (raw.trim() === "") {
    return { ok: true, text: { document: {}, scalars: [], comments: [] } };
  }
  let value: unknown;
  try {
    value = parseText(raw);
  } catch (error) {
    return { ok: false, reason: "syntax", ...syntaxProblem(error) };
  }
  const outcome = toDocument(value);
  if (!outcome.ok) {
    const message = outcome.path === "" ? outcome.message : `${outcome.path} ${outcome.message}`;
    return { ok: false, reason: outcome.reason, message };
  }
  const layout = layOut(raw);
  const scalars: ScalarSpan[] = [];
  collectScalars(layout.root, [], scalars);
  return { ok: true, text: { document: outcome.document, scalars, comments: layout.comments } };
}

/** A document as JSON, which is JSON5 too, ending in a newline. */
export function writeJson5(document: JsonObject): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** `raw` changed to read as `next`; what did not change keeps its text. Undefined where that fails. */
export function editJson5(raw: string, next: JsonObject): string | undefined {
  const reading = readJson5(raw);
  if (!reading.ok || raw.trim() === "") return undefined;
  const edits: Edit[] = [];
  editObject(raw, layOut(raw).root, next, edits);
  let edited = "";
  let at = 0;
  for (const edit of edits.toSorted((left, right) => left.start - right.start)) {
    if (edit.start < at) return undefined;
    edited += raw.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  edited += raw.slice(at);
  const again = readJson5(edited);
  return again.ok && sameJson(again.text.document, next) ? edited : undefined;
}

function parseText(text: string): unknown {
  // The library prints a warning for each of these characters inside a string; plain JSON has none.
  if (/[\u2028\u2029]/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // Not plain JSON; JSON5 may still take it.
    }
  }
  return JSON5.parse(text);
}

function syntaxProblem(error: unknown): { message: string; line?: number; column?: number } {
  const format = "the settings are not valid JSON5";
  if (!(error instanceof Error)) return { message: format };
  const line: unknown = Reflect.get(error, "lineNumber");
  const column: unknown = Reflect.get(error, "columnNumber");
  // The library's text ends in the position, which is told apart, and quotes one character at most.
  const why = error.message.replace(/^JSON5: /, "").replace(/ at \d+:\d+$/, "");
  return {
    message: `${format}: ${why}`,
    ...(typeof line === "number" ? { line } : {}),
    ...(typeof column === "number" ? { column } : {}),
  };
}

interface Node extends TextSpan {
  /** For an object and a list; the key of an element is its index. */
  readonly members?: readonly Member[];
  readonly kind: "object" | "list" | "scalar";
  readonly value: Json;
}

interface Member {
  readonly key: string;
  /** Where the key begins; for an element, where the value begins. */
  readonly start: number;
  /** After the comma that follows; undefined where none follows. */
  readonly afterComma: number | undefined;
  readonly node: Node;
}

interface Layout {
  readonly root: Node;
  readonly comments: readonly TextSpan[];
}

/** Finds where everything lies in a text that the library has accepted and whose depth is bounded. */
function layOut(raw: string): Layout {
  const comments: TextSpan[] = [];
  let at = 0;

  const skip = (): void => {
    for (;;) {
      while (at < raw.length && /\s/.test(raw.charAt(at))) at++;
      if (raw.startsWith("//", at)) {
        const start = at;
        while (at < raw.length && !/[\n\r\u2028\u2029]/.test(raw.charAt(at))) at++;
        comments.push({ start, end: at });
      } else if (raw.startsWith("/*", at)) {
        const close = raw.indexOf("*/", at + 2);
        const end = close === -1 ? raw.length : close + 2;
        comments.push({ start: at, end });
        at = end;
      } else {
        return;
      }
    }
  };

  const quoted = (): void => {
    const mark = raw.charAt(at++);
    while (at < raw.length && raw.charAt(at) !== mark) at += raw.charAt(at) === "\\" ? 2 : 1;
    at++;
  };

  const word = (): void => {
    while (at < raw.length && !/[\s,:\]}/]/.test(raw.charAt(at))) at++;
  };

  const scalar = (): string => {
    const start = at;
    if (raw.charAt(at) === '"' || raw.charAt(at) === "'") quoted();
    else word();
    return raw.slice(start, at);
  };

  const value = (): Node => {
    skip();
    const start = at;
    const open = raw.charAt(at);
    if (open !== "{" && open !== "[") {
      const text = scalar();
      return { kind: "scalar", start, end: at, value: scalarValue(text) };
    }
    const kind = open === "{" ? "object" : "list";
    at++;
    const members: Member[] = [];
    for (;;) {
      skip();
      if (at >= raw.length || raw.charAt(at) === "}" || raw.charAt(at) === "]") break;
      const memberStart = at;
      let key = String(members.length);
      if (kind === "object") {
        key = keyText(scalar());
        skip();
        at++;
      }
      const node = value();
      skip();
      const comma = raw.charAt(at) === ",";
      if (comma) at++;
      members.push({ key, start: memberStart, afterComma: comma ? at : undefined, node });
    }
    at++;
    return { kind, start, end: at, members, value: null };
  };

  const root = value();
  skip();
  return { root, comments };
}

function scalarValue(text: string): Json {
  const value = parseText(text);
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? value
    : null;
}

function keyText(text: string): string {
  const [key = ""] = Object.keys(Object(parseText(`{${text}:0}`)));
  return key;
}

function collectScalars(node: Node, path: SettingPath, into: ScalarSpan[]): void {
  if (node.kind === "scalar") {
    into.push({ path, start: node.start, end: node.end, value: node.value });
    return;
  }
  for (const member of node.members ?? []) {
    collectScalars(member.node, [...path, member.key], into);
  }
}

interface Edit extends TextSpan {
  readonly text: string;
}

function editObject(raw: string, node: Node, next: JsonObject, edits: Edit[]): void {
  const members = node.members ?? [];
  const present = new Set(members.map(({ key }) => key));
  const removed = members.filter(({ key }) => !Object.hasOwn(next, key));
  const added = Object.keys(next).filter((key) => !present.has(key));
  // Key written twice, or removals beside additions: written anew as a whole, comments within are lost.
  if (present.size < members.length || (removed.length > 0 && added.length > 0)) {
    edits.push({ start: node.start, end: node.end, text: render(next, indentAt(raw, node.start)) });
    return;
  }
  for (const member of removed) edits.push({ ...memberSpan(raw, member), text: "" });
  for (const { key, node: before } of members) {
    const after = next[key];
    if (after === undefined) continue;
    if (before.kind === "object" && isObject(after)) {
      editObject(raw, before, after, edits);
    } else if (!sameJson(nodeJson(raw, before), after)) {
      const text = render(after, indentAt(raw, before.start));
      edits.push({ start: before.start, end: before.end, text });
    }
  }
  if (added.length > 0) {
    edits.push(insertion(raw, node, added.map((key) => [key, next[key] ?? null])));
  }
}

function nodeJson(raw: string, node: Node): Json {
  if (node.kind === "scalar") return node.value;
  const outcome = toDocument({ value: parseText(raw.slice(node.start, node.end)) });
  return outcome.ok ? outcome.document.value ?? null : null;
}

function insertion(raw: string, node: Node, added: readonly [string, Json][]): Edit {
  const last = node.members?.at(-1);
  const outer = indentAt(raw, node.start);
  if (last === undefined) {
    const lines = added.map(([key, value]) => memberText(key, value, `${outer}  `)).join(",");
    // Before whatever comment the empty object holds, whose line must not swallow the closing brace.
    const empty = raw.slice(node.start + 1, node.end - 1).trim() === "";
    const end = empty ? node.end - 1 : node.start + 1;
    return { start: node.start + 1, end, text: `${lines},${empty ? `\n${outer}` : ""}` };
  }
  const ownLine = /(^|\n)[ \t]*$/.test(raw.slice(0, last.start));
  const indent = ownLine ? indentAt(raw, last.start) : `${outer}  `;
  const lines = added.map(([key, value]) => memberText(key, value, indent)).join(",");
  const at = last.afterComma ?? last.node.end;
  return { start: at, end: at, text: last.afterComma === undefined ? `,${lines}` : `${lines},` };
}

function memberText(key: string, value: Json, indent: string): string {
  return `\n${indent}${JSON.stringify(key)}: ${render(value, indent)}`;
}

function render(value: Json, indent: string): string {
  return JSON.stringify(value, null, 2).replaceAll("\n", `\n${indent}`);
}

/** The blanks that begin the line on which `at` lies. */
function indentAt(raw: string, at: number): string {
  const line = raw.slice(raw.lastIndexOf("\n", at - 1) + 1, at);
  return /^[ \t]*/.exec(line)?.[0] ?? "";
}

/** A member with its comma, and its whole lines where it has them to itself. */
function memberSpan(raw: string, member: Member): TextSpan {
  const end = member.afterComma ?? member.node.end;
  const lineStart = raw.lastIndexOf("\n", member.start - 1) + 1;
  const blankBefore = raw.slice(lineStart, member.start).trim() === "";
  const blankAfter = /^[ \t]*\r?\n/.exec(raw.slice(end, end + MAX_TRAILING_BLANKS));
  if (!blankBefore || blankAfter === null) return { start: member.start, end };
  return { start: lineStart, end: end + blankAfter[0].length };
}

/** How far behind a removed member its line's end is looked for, in characters. */
const MAX_TRAILING_BLANKS = 256;
