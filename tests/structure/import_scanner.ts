/** Every way in which one module names another, found without a compiler. */

import { lineAt, type MaskedSource, maskSource } from "./masked_source.ts";

/** How a module is named: for its values, for its types alone, or as a file that is loaded later. */
export type ImportKind = "value" | "type" | "asset";

/** One mention of another module. */
export interface Import {
  /** As written; `undefined` when it is computed while the program runs. */
  readonly specifier: string | undefined;
  readonly kind: ImportKind;
  /** True for `import(…)`. */
  readonly dynamic: boolean;
  readonly line: number;
}

const CLAUSE = String.raw`[\w$*{][^;"'()=]*?`;
const NAMED = String.raw`\*(?:\s*as\s+[\w$]+)?|\{[^}]*\}`;

const STATEMENTS: readonly RegExp[] = [
  new RegExp(
    String.raw`(?<![\w$.])import\s+(?<type>type\s+)?(?<names>${CLAUSE})\s*from\s*["']`,
    "dg",
  ),
  new RegExp(String.raw`(?<![\w$.])import\s*["']`, "dg"),
  new RegExp(
    String.raw`(?<![\w$.])export\s+(?<type>type\s+)?(?<names>${NAMED})\s*from\s*["']`,
    "dg",
  ),
];

const CALLS: readonly { readonly pattern: RegExp; readonly kind: ImportKind }[] = [
  { pattern: /(?<![\w$.])import\s*\(\s*/g, kind: "value" },
  { pattern: /(?<![\w$.])import\.meta\.resolve\s*\(\s*/g, kind: "asset" },
];

const ASSET = /(?<![\w$.])new\s+URL\s*\(\s*(?=["'][^"']*["']\s*,\s*import\.meta\.url)/g;

/** `@ts-types="…"` and its older name, and the two kinds of reference directive. */
const DIRECTIVES: readonly RegExp[] = [
  /@(?:ts|deno)-types\s*=\s*["'](?<name>[\w@./:^~-]+)["']/g,
  /^\s*\/\/\/\s*<reference\s+(?:types|path)\s*=\s*["'](?<name>[\w@./:^~-]+)["']/gm,
];

/** All modules that a source names, in the order of their lines. */
export function scanImports(source: string | MaskedSource): readonly Import[] {
  const masked = typeof source === "string" ? maskSource(source) : source;
  const { raw, code, comments } = masked;
  const found: Import[] = [];
  const add = (position: number, rest: Omit<Import, "line">): void => {
    found.push({ ...rest, line: lineAt(raw, position) });
  };
  for (const pattern of STATEMENTS) {
    for (const match of code.matchAll(pattern)) {
      const end = match.index + match[0].length - 1;
      const specifier = literalAt(masked, end);
      const kind = onlyTypes(match.groups) ? "type" : "value";
      add(match.index, { specifier, kind, dynamic: false });
    }
  }
  for (const { pattern, kind } of CALLS) {
    for (const match of code.matchAll(pattern)) {
      const specifier = literalAt(masked, match.index + match[0].length);
      add(match.index, { specifier, kind, dynamic: kind === "value" });
    }
  }
  for (const match of code.matchAll(ASSET)) {
    const specifier = asRelative(literalAt(masked, match.index + match[0].length));
    add(match.index, { specifier, kind: "asset", dynamic: false });
  }
  for (const pattern of DIRECTIVES) {
    for (const match of comments.matchAll(pattern)) {
      add(match.index, { specifier: match.groups?.name, kind: "type", dynamic: false });
    }
  }
  return found.sort((a, b) => a.line - b.line);
}

/** The text of the string literal that starts at `position`; undefined when there is none. */
function literalAt({ raw, code }: MaskedSource, position: number): string | undefined {
  const quote = code.charAt(position);
  if (quote !== '"' && quote !== "'") return undefined;
  const end = code.indexOf(quote, position + 1);
  return end === -1 ? undefined : raw.slice(position + 1, end);
}

/** A URL that names no scheme and no root is relative, with `./` in front or without. */
function asRelative(url: string | undefined): string | undefined {
  return url === undefined || /^(?:\.{0,2}\/|[a-z][\w+.-]*:)/i.test(url) ? url : `./${url}`;
}

/** `import type …`, or braces in which every name carries `type`. */
function onlyTypes(groups: Readonly<Record<string, string | undefined>> | undefined): boolean {
  if (groups === undefined) return false;
  if (groups.type !== undefined) return true;
  const inner = /^\s*\{(?<list>[^}]*)\}\s*$/.exec(groups.names ?? "")?.groups?.list;
  if (inner === undefined) return false;
  const names = inner.split(",").map((name) => name.trim()).filter((name) => name !== "");
  return names.length > 0 && names.every((name) => /^type\s+[\w$]/.test(name));
}
