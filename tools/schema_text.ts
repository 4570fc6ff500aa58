/** A valibot schema as one line of text that a person can read. */

import type { Schema } from "../src/core/method.ts";

/** The parts of valibot's schemas that are read; all of them are public properties. */
interface Node extends Pipe {
  readonly type: string;
  readonly wrapped?: Node;
  readonly entries?: Readonly<Record<string, Node>>;
  readonly item?: Node;
  readonly value?: Node;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
}

interface Pipe {
  readonly pipe?: readonly Step[];
}

interface Step extends Pipe {
  readonly kind: string;
  readonly type: string;
  readonly requirement?: unknown;
}

/**
 * Writes a schema on one line. `text` is a string that is not empty, `integer` a whole number; `≥`
 * and `≤` bound a number's value, a text's characters, a list's items; `?` marks a member that may be
 * absent, a final `…` an object that takes any further members. Throws for a schema of a kind that it
 * does not know, so that no table is silently wrong.
 */
export function schemaText(schema: Schema): string {
  return describe(schema);
}

function describe(node: Node): string {
  const bounds = validations(node);
  switch (node.type) {
    case "string":
      return describeString(bounds);
    case "number":
      return describeNumber(bounds);
    case "boolean":
    case "null":
    case "undefined":
    case "unknown":
      return node.type;
    case "literal":
      return JSON.stringify(node.literal);
    case "picklist":
      return (node.options ?? []).map((option) => JSON.stringify(option)).join(" | ");
    case "union":
    case "variant":
      return (node.options ?? []).filter(isNode).map(describe).join(" | ");
    case "nullable":
    case "nullish":
      return `${describe(inner(node, node.wrapped))} | null`;
    case "optional":
    case "exact_optional":
    case "undefinedable":
      return describe(inner(node, node.wrapped));
    case "array":
      return `${grouped(describe(inner(node, node.item)))}[]${lengths(bounds)}`;
    case "record":
      return `Record<string, ${describe(inner(node, node.value))}>`;
    case "object":
    case "strict_object":
    case "loose_object":
      return describeObject(node);
    default:
      throw new TypeError(`schema of type "${node.type}" is not known; teach tools/schema_text.ts`);
  }
}

/** The checks of a schema, those of the schemas that it was piped from included. */
function validations({ pipe = [] }: Pipe): readonly Step[] {
  return pipe.flatMap((step, index) => {
    if (step.kind === "validation") return step;
    // The first item is the schema itself; it has a pipe of its own where pipes were nested.
    return index === 0 ? validations(step) : [];
  });
}

function describeObject(node: Node): string {
  const members = Object.entries(node.entries ?? {}).map(([name, member]) =>
    `${name}${mayBeAbsent(member) ? "?" : ""}: ${describe(member)}`
  );
  if (node.type === "loose_object") members.push("…");
  return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
}

function describeString(bounds: readonly Step[]): string {
  const rest = bounds.filter(({ type, requirement }) =>
    !((type === "min_length" && requirement === 1) || type === "non_empty")
  );
  const pattern = rest.find(({ type }) => type === "regex")?.requirement;
  const name = rest.length < bounds.length ? "text" : "string";
  return `${name}${lengths(rest)}${pattern === undefined ? "" : ` ${String(pattern)}`}`;
}

function describeNumber(bounds: readonly Step[]): string {
  const whole = bounds.some(({ type }) => type === "integer" || type === "safe_integer");
  return `${whole ? "integer" : "number"}${range(bounds, "value")}`;
}

function lengths(bounds: readonly Step[]): string {
  return range(bounds, "length");
}

function range(bounds: readonly Step[], what: "value" | "length"): string {
  const text = (type: string, sign: string): string => {
    const found = bounds.find((step) => step.type === type);
    return found === undefined ? "" : ` ${sign}${String(found.requirement)}`;
  };
  return `${text(`min_${what}`, "≥")}${text(`max_${what}`, "≤")}`;
}

function grouped(text: string): string {
  return /[ |]/.test(text) && !text.startsWith("{") ? `(${text})` : text;
}

function mayBeAbsent({ type }: Node): boolean {
  return type === "optional" || type === "exact_optional" || type === "nullish";
}

function inner(outer: Node, node: Node | undefined): Node {
  if (node === undefined) throw new TypeError(`schema of type "${outer.type}" holds no other`);
  return node;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value &&
    typeof value.type === "string";
}
