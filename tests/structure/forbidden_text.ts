/** Names and phrases that have no place in parts of the source. */

import { layerOf, LAYERS } from "./layer_law.ts";
import { lineAt, nesting } from "./masked_source.ts";
import type { Module, Violation } from "./source_tree.ts";

interface Pattern {
  readonly pattern: RegExp;
  readonly rule: string;
  readonly advice: string;
}

const CLOCK = "take the Clock port";
const RANDOM = "take the Random port";
const PLATFORM = "put it behind a port and into src/adapters";

/** Names of a runtime that is not the Web platform. */
const PLATFORM_NAMES: readonly Pattern[] = [
  named("Deno", PLATFORM),
  named("process", PLATFORM),
  named("Buffer", "use Uint8Array, TextEncoder and TextDecoder"),
  named("__dirname", PLATFORM),
];

/** Names through which time, chance, output and state come in unseen. */
const AMBIENT_NAMES: readonly Pattern[] = [
  { pattern: /(?<![\w$.#])Date\s*\.\s*now\b/g, rule: "Date.now", advice: CLOCK },
  { pattern: /(?<![\w$.#])(?:new\s+)?Date\s*\(\s*\)/g, rule: "the current date", advice: CLOCK },
  { pattern: /(?<![\w$.#])performance\s*\./g, rule: "performance", advice: CLOCK },
  {
    pattern: /(?<![\w$.#])(?:set|clear)(?:Timeout|Interval|Immediate)\b/g,
    rule: "a timer",
    advice: CLOCK,
  },
  { pattern: /(?<![\w$.#])AbortSignal\s*\.\s*timeout\b/g, rule: "a timer", advice: CLOCK },
  { pattern: /(?<![\w$.#])Math\s*\.\s*random\b/g, rule: "Math.random", advice: RANDOM },
  {
    pattern:
      /(?<![\w$.#])crypto\s*\.\s*(?:randomUUID|getRandomValues|subtle\s*\.\s*generateKey)\b/g,
    rule: "random numbers of crypto",
    advice: RANDOM,
  },
  named("console", "take the Log port"),
  named("globalThis", "take what is needed as a parameter"),
  named("navigator", "take what is needed as a parameter"),
  { pattern: /(?<=(?:await|return|=)\s+)fetch\s*\(/g, rule: "fetch", advice: PLATFORM },
  {
    pattern: /(?<![\w$.#])new\s+(?:WebSocket|Worker|EventSource)\b/g,
    rule: "a connection or thread",
    advice: PLATFORM,
  },
];

/** State that lives as long as the program, so that two gateways in it would share it. */
const SHARED_STATE: readonly Pattern[] = [
  {
    pattern: /(?<![\w$.#])(?:let|var)\s+[\w$[{]/g,
    rule: "a variable of the module",
    advice: "keep state in an object that app.ts creates",
  },
  {
    pattern: /=\s*new\s+(?:(?:Map|Set)\s*(?:<[^()]*>)?\s*\(\s*\)|Weak(?:Map|Set)\b)/g,
    rule: "a mutable collection of the module",
    advice: "keep state in an object that app.ts creates",
  },
];

const STATIC_STATE: Pattern = {
  pattern: /(?<![\w$.#])static\s+(?!readonly\b|async\b|get\b|set\b|\{)#?[\w$]+\s*[=:;]/g,
  rule: "a variable of a class",
  advice: "keep state in an object that app.ts creates",
};

/** Ways round the type checker. */
const ESCAPES: readonly Pattern[] = [
  {
    pattern: /(?<![\w$.#])any\b(?!\s*[(:?])/g,
    rule: "any",
    advice: "use unknown and narrow it, or a type parameter",
  },
  {
    pattern: /(?<=[\w$)\]}"'`>]\s+)as\s+(?!const\b)(?=[\w$({["'`])/g,
    rule: "a cast",
    advice: "parse the value with a schema or narrow it with a type guard",
  },
  {
    pattern: /(?<=[=(,?:]\s*|return\s+)<[A-Z][\w$.<>, ]*>\s*[\w$"'`[{]/g,
    rule: "a cast",
    advice: "parse the value with a schema or narrow it with a type guard",
  },
  {
    pattern: /(?<=[\w$)\]])!(?=\s*[.;,)\]}[:?]|\s*$)/gm,
    rule: "a non-null assertion",
    advice: "narrow the value and say what happens when it is absent",
  },
];

const SILENCERS: Pattern = {
  pattern:
    /@ts-(?:ignore|expect-error|nocheck)|(?:deno-lint|deno-fmt|prettier)-ignore|eslint-disable/g,
  rule: "a silenced check",
  advice: "change the code so that the check passes",
};

const PLANS: Pattern = {
  pattern: /\b(?:TODO|FIXME|XXX|HACK)\b|\b(?:issue|ticket|PR) #?\d+|(?<=[\s(])#\d+\b/g,
  rule: "a plan or ticket number in a comment",
  advice: "say what holds now and why",
};

/** What a comment of any module must not hold. */
export function commentViolations(module: Module): readonly Violation[] {
  return scan(module, module.source.comments, [PLANS]);
}

/** Ambient names and shared state in the layers that the law keeps free of them. */
export function ambientViolations(module: Module): readonly Violation[] {
  const name = layerOf(module.path);
  const layer = name === undefined ? undefined : LAYERS[name];
  if (layer === undefined) return [];
  const { code } = module.source;
  const found: Violation[] = [];
  if (!layer.platform) {
    found.push(...scan(module, code, PLATFORM_NAMES));
    const depths = nesting(code);
    found.push(...scan(module, code, SHARED_STATE, (position) => depths[position] === 0));
    found.push(...scan(module, code, [STATIC_STATE]));
  }
  if (layer.pure) found.push(...scan(module, code, AMBIENT_NAMES));
  return found;
}

/** Ways round the type checker and the linter, in the source and its entry points. */
export function escapeViolations(module: Module): readonly Violation[] {
  if (layerOf(module.path) === undefined && !module.path.startsWith("tools/")) return [];
  const { code, comments } = module.source;
  const plain = code.replace(
    /(?<![\w$.])(?:import\s[^"'`;=]*?from(?=\s*["'])|export\s+(?:type\s+)?(?:\{[^}]*\}|\*\s*as\s+[\w$]+))/g,
    blank,
  ).replace(/\[\s*[\w$]+\s+in\s[^\]]*?\]/g, blank);
  return [...scan(module, plain, ESCAPES), ...scan(module, comments, [SILENCERS])];
}

function named(name: string, advice: string): Pattern {
  return { pattern: new RegExp(String.raw`(?<![\w$.#])${name}\s*[.[(]`, "g"), rule: name, advice };
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

function scan(
  module: Module,
  text: string,
  patterns: readonly Pattern[],
  counts: (position: number) => boolean = () => true,
): Violation[] {
  const found: Violation[] = [];
  for (const { pattern, rule, advice } of patterns) {
    for (const match of text.matchAll(pattern)) {
      if (!counts(match.index)) continue;
      found.push({ file: module.path, line: lineAt(text, match.index), rule, advice });
    }
  }
  return found;
}
