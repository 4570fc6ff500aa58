/**
 * Says what is wrong with a value, in the phrases of JSON Schema validators, from a valibot schema.
 * Only called once validation has failed, so it may be slow; it never repeats the value, which may be
 * a secret.
 */

import { escapeText } from "./quote.ts";
import type { Schema } from "./method.ts";
import { isJsonObject } from "./json.ts";

/** Most problems listed in one message; a hostile object could have thousands. */
export const MAX_PROBLEMS = 20;

/**
 * The problems of `value` in this order, at every level: missing members in the order of the schema,
 * unexpected ones in the order of the data, then the members' own. Each text is `must …` at the root
 * and `at /path: must …` below; no text appears twice. Empty when the value is valid.
 */
export function explain(schema: Schema, value: unknown): readonly string[] {
  const found = new Set<string>();
  walk(schema, value, "", (path, phrase) => {
    if (found.size < MAX_PROBLEMS) found.add(path === "" ? phrase : `at ${path}: ${phrase}`);
  });
  return [...found];
}

type Report = (path: string, phrase: string) => void;

/** The parts of valibot's schemas that the walk reads; all of them are public properties. */
interface Node {
  readonly type: string;
  readonly wrapped?: Node;
  readonly entries?: Readonly<Record<string, Node>>;
  readonly item?: Node;
  readonly key?: Node;
  readonly value?: unknown;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly pipe?: readonly PipeItem[];
}

interface PipeItem {
  readonly kind: string;
  readonly type: string;
  readonly requirement?: unknown;
  readonly pipe?: readonly PipeItem[];
}

/** What a schema's pipe checks, pipes within pipes included, in the order of the checks. */
function itemsOf(node: { readonly pipe?: readonly PipeItem[] }): readonly PipeItem[] {
  return (node.pipe ?? []).flatMap((item) => item.pipe === undefined ? [item] : itemsOf(item));
}

function walk(node: Node, value: unknown, path: string, report: Report): void {
  switch (node.type) {
    case "optional":
    case "exact_optional":
    case "nullish":
    case "nullable":
    case "undefinedable":
      return walkWrapped(node, value, path, report);
    case "strict_object":
    case "object":
    case "loose_object":
      return walkObject(node, value, path, report);
    case "array":
      return walkArray(node, value, path, report);
    case "record":
      return walkRecord(node, value, path, report);
    case "literal":
      if (value !== node.literal) report(path, "must be equal to constant");
      return;
    case "picklist":
      return walkOptions(
        (node.options ?? []).map((option) => (at: unknown, tell: Report) => {
          if (at !== option) tell(path, "must be equal to constant");
        }),
        value,
        { path, report },
      );
    case "union":
    case "variant":
      return walkOptions(
        (node.options ?? []).filter(isNode).map((option) => (at: unknown, tell: Report) =>
          walk(option, at, path, tell)
        ),
        value,
        { path, report },
      );
    case "string":
    case "number":
    case "boolean":
    case "null":
      return walkScalar(node, value, path, report);
    default:
      return;
  }
}

function walkWrapped(node: Node, value: unknown, path: string, report: Report): void {
  if (value === undefined && node.type !== "nullable") return;
  if (value === null && (node.type === "nullable" || node.type === "nullish")) return;
  if (node.wrapped === undefined) return;
  if (node.type !== "nullable" && node.type !== "nullish") {
    return walk(node.wrapped, value, path, report);
  }
  // A nullable value is a choice of two in JSON Schema: the value's own problems, then the choice's.
  const before: string[] = [];
  walk(node.wrapped, value, path, (at, phrase) => {
    before.push(phrase);
    report(at, phrase);
  });
  if (before.length > 0) {
    report(path, "must be null");
    report(path, "must match a schema in anyOf");
  }
}

function walkObject(node: Node, value: unknown, path: string, report: Report): void {
  if (!isJsonObject(value)) return report(path, "must be object");
  const entries = node.entries ?? {};
  for (const [name, entry] of Object.entries(entries)) {
    if (!Object.hasOwn(value, name) && !isOptional(entry)) {
      report(path, `must have required property '${name}'`);
    }
  }
  if (node.type === "strict_object") {
    for (const name of Object.keys(value)) {
      if (Object.hasOwn(entries, name)) continue;
      const phrase = `unexpected property '${escapeText(name, MAX_NAME_CHARS)}'`;
      report(path === "" ? "root" : path, phrase);
    }
  }
  for (const [name, entry] of Object.entries(entries)) {
    if (Object.hasOwn(value, name)) walk(entry, value[name], `${path}/${pointer(name)}`, report);
  }
}

function walkArray(node: Node, value: unknown, path: string, report: Report): void {
  if (!Array.isArray(value)) return report(path, "must be array");
  for (const item of itemsOf(node)) {
    const bound = item.requirement;
    if (typeof bound !== "number") continue;
    if (item.type === "min_length" && value.length < bound) {
      report(path, `must NOT have fewer than ${bound} items`);
    }
    if (item.type === "max_length" && value.length > bound) {
      report(path, `must NOT have more than ${bound} items`);
    }
  }
  const element = node.item;
  if (element === undefined) return;
  value.forEach((member, index) => walk(element, member, `${path}/${index}`, report));
}

function walkRecord(node: Node, value: unknown, path: string, report: Report): void {
  if (!isJsonObject(value)) return report(path, "must be object");
  const member = node.value;
  if (!isNode(member)) return;
  for (const [name, entry] of Object.entries(value)) {
    walk(member, entry, `${path}/${pointer(name)}`, report);
  }
}

function walkOptions(
  options: readonly ((value: unknown, report: Report) => void)[],
  value: unknown,
  where: { path: string; report: Report },
): void {
  const problems: [string, string][] = [];
  for (const option of options) {
    const own: [string, string][] = [];
    option(value, (path, phrase) => own.push([path, phrase]));
    if (own.length === 0) return;
    problems.push(...own);
  }
  for (const [path, phrase] of problems) where.report(path, phrase);
  where.report(where.path, "must match a schema in anyOf");
}

function walkScalar(node: Node, value: unknown, path: string, report: Report): void {
  const items = itemsOf(node);
  const integer = items.some((item) => item.type === "integer");
  const type = value === null ? "null" : typeof value;
  if (type !== node.type) {
    return report(path, `must be ${integer ? "integer" : node.type}`);
  }
  if (typeof value === "number" && integer && !Number.isInteger(value)) {
    report(path, "must be integer");
  }
  for (const item of items) {
    const phrase = scalarPhrase(item, value);
    if (phrase !== undefined) report(path, phrase);
  }
}

function scalarPhrase(item: PipeItem, value: unknown): string | undefined {
  const bound = item.requirement;
  if (item.type === "regex" && bound instanceof RegExp && typeof value === "string") {
    return bound.test(value) ? undefined : `must match pattern "${bound.source}"`;
  }
  if (typeof bound !== "number") return undefined;
  if (typeof value === "string") {
    if (item.type === "min_length" && value.length < bound) {
      return `must NOT have fewer than ${bound} characters`;
    }
    if (item.type === "max_length" && value.length > bound) {
      return `must NOT have more than ${bound} characters`;
    }
  }
  if (typeof value === "number") {
    if (item.type === "min_value" && value < bound) return `must be >= ${bound}`;
    if (item.type === "max_value" && value > bound) return `must be <= ${bound}`;
  }
  return undefined;
}

const MAX_NAME_CHARS = 80;

function pointer(name: string): string {
  return escapeText(name, MAX_NAME_CHARS).replaceAll("~", "~0").replaceAll("/", "~1");
}

function isOptional(node: Node): boolean {
  return node.type === "optional" || node.type === "exact_optional" || node.type === "nullish";
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}
