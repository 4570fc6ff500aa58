/** From a plain record to the settings: environment, validation, defaults, warnings. */

import * as v from "valibot";
import { quote } from "../core/quote.ts";
import type { Json } from "../ports/store.ts";
import { isObject, valueAt } from "../services/json_value.ts";
import type {
  JsonObject,
  ParsedSettings,
  SettingPath,
  SettingsIssue,
} from "../services/settings_codec.ts";
import { type Environment, pathText, substitute, toDocument } from "./document.ts";
import { modelProblem, modelSettings } from "./model_name.ts";
import { type Config, ConfigSchema } from "./schema.ts";
import { MIN_SECRET_CHARS } from "./secret_text.ts";
import {
  fillsReferences,
  hasEffect,
  isSecret,
  isSensitive,
  type Setting,
  SETTINGS,
} from "./setting_tree.ts";
import { type Gaps, gapsOf } from "./unset_variable.ts";
import { portsClash, wantedPorts } from "./wanted_port.ts";

/** Most issues and most warnings in one answer; the last says how many more there are. */
export const MAX_SETTINGS_ISSUES = 100;

/** Longest value quoted in a message, in characters. */
const MAX_VALUE_CHARS = 80;

/** How a record is made settings. */
export interface ParseOptions {
  /** Fills in `${NAME}` in secrets and in the addresses of providers. */
  readonly env: Environment;
  /**
   * `env` is not the gateway's: a variable that it lacks may be set where the gateway runs, so that it is
   * a warning wherever it is needed. Default false.
   */
  readonly foreignEnv?: boolean;
}

/**
 * Makes the settings of a plain record. Nothing of the environment appears in an issue or a warning. A
 * provider that needs a variable that is not set is kept and named in `models.disabled`, with a warning;
 * a secret of the gateway that needs one is an issue. With issues, `config` is the defaults alone. The
 * record is not changed.
 */
export function parseConfig(record: unknown, options: ParseOptions): ParsedSettings<Config> {
  const outcome = toDocument(record);
  if (!outcome.ok) {
    return failed([{ path: outcome.path, message: outcome.message }], []);
  }
  const { document } = outcome;
  const { document: filled, missing, literal } = substitute(document, {
    env: options.env,
    fills: fillsReferences,
  });
  const gaps = gapsOf(missing, { document: filled, foreignEnv: options.foreignEnv === true });
  const warnings = bounded([
    ...gaps.warnings,
    ...warningsOf(document),
    ...literal.filter(hasEffect).map(unfilled),
  ]);
  const found: SettingsIssue[] = [...gaps.issues, ...misplacedLists(document)];
  const result = v.safeParse(ConfigSchema, gaps.document);
  for (const issue of result.issues ?? []) found.push(explainIssue(issue, document));
  if (result.success) found.push(...crossIssues(result.output, gaps));
  const issues = bounded(firstOfEachPath(found));
  if (!result.success || issues.length > 0) return failed(issues, warnings);
  const config = gaps.close(result.output);
  return { config, issues, warnings: bounded([...warnings, ...advice(config)]) };
}

/** A reference that its reader may have meant to be filled in. */
function unfilled(path: SettingPath): SettingsIssue {
  const message = "refers to the environment, which is filled in only in secrets and provider " +
    "addresses; kept as written";
  return { path: pathText(path), message };
}

/** The settings when nothing is set. */
export function defaultConfig(): Config {
  return v.parse(ConfigSchema, {});
}

function failed(
  issues: readonly SettingsIssue[],
  warnings: readonly SettingsIssue[],
): ParsedSettings<Config> {
  return { config: defaultConfig(), issues, warnings };
}

function explainIssue(
  issue: v.InferIssue<typeof ConfigSchema>,
  document: JsonObject,
): SettingsIssue {
  const path = (issue.path ?? []).map(({ key }) => String(key));
  const where = pathText(path);
  // Quoted as written: what the environment put there may be a secret.
  const value = valueAt(document, path);
  if (value === undefined) {
    return { path: where, message: issue.kind === "schema" ? "is required" : issue.message };
  }
  const shown = shownValue(value, path);
  return { path: where, message: shown === "" ? issue.message : `${issue.message}; got ${shown}` };
}

function shownValue(value: Json, path: SettingPath): string {
  if (Array.isArray(value)) return "a list";
  if (isObject(value)) return "an object";
  if (typeof value === "string") {
    return isSensitive(path) || isSecret(path, value) ? "" : quote(value, MAX_VALUE_CHARS);
  }
  return isSensitive(path, "number") ? "" : String(value);
}

/** Lists where the schema has an object, which valibot takes for objects without members. */
function misplacedLists(document: JsonObject): readonly SettingsIssue[] {
  const issues: SettingsIssue[] = [];
  const walk = (value: Json, setting: Setting, path: SettingPath): void => {
    if (Array.isArray(value)) {
      const { rest } = setting;
      if (setting.kind === "section" || setting.kind === "record") {
        issues.push({ path: pathText(path), message: "must be an object; got a list" });
      } else if (setting.kind === "list" && rest !== undefined) {
        value.forEach((item, index) => walk(item, rest, [...path, String(index)]));
      }
    } else if (isObject(value) && setting.kind !== "list") {
      for (const [key, item] of Object.entries(value)) {
        const below = setting.entries.get(key) ?? setting.rest;
        if (below !== undefined) walk(item, below, [...path, key]);
      }
    }
  };
  walk(document, SETTINGS, []);
  return issues;
}

/** What no single setting can tell. */
function crossIssues(config: Config, { secrets }: Gaps): readonly SettingsIssue[] {
  const issues: SettingsIssue[] = [];
  const seen = new Set<string>();
  config.agents.list.forEach(({ id }, index) => {
    const key = id.toLowerCase();
    if (seen.has(key)) {
      const message = `is the id of another agent already; got ${quote(id)}`;
      issues.push({ path: `agents.list.${index}.id`, message });
    }
    seen.add(key);
  });
  const { mode, password } = config.gateway.auth;
  if (mode === "password" && password === undefined && !secrets.includes("password")) {
    const message = "is required when gateway.auth.mode is password";
    issues.push({ path: "gateway.auth.password", message });
  }
  const [first, second] = wantedPorts(config);
  if (first !== undefined && second !== undefined && portsClash(first, second)) {
    const message = `is ${first.port}, which ${second.key} has; only one of them can listen there`;
    issues.push({ path: first.key, message });
  }
  return issues;
}

/** Settings that are valid and yet deserve a word. */
function advice(config: Config): readonly SettingsIssue[] {
  const warnings: SettingsIssue[] = [];
  for (const kind of ["token", "password"] as const) {
    const secret = config.gateway.auth[kind];
    if (secret !== undefined && secret.length < MIN_SECRET_CHARS) {
      const message = `is shorter than ${MIN_SECRET_CHARS} characters and may be guessed`;
      warnings.push({ path: `gateway.auth.${kind}`, message });
    }
  }
  if (config.agents.list.filter((agent) => agent.default === true).length > 1) {
    warnings.push({
      path: "agents.list",
      message: "marks several agents as default; the first counts",
    });
  }
  for (const { path, model } of modelSettings(config)) {
    const problem = modelProblem(config, model);
    if (problem !== undefined) warnings.push({ path, message: problem });
  }
  return warnings;
}

/** Names what is kept without effect: unknown keys, and settings and values marked as unused. */
function warningsOf(document: JsonObject): readonly SettingsIssue[] {
  const warnings: SettingsIssue[] = [];
  const walk = (value: Json, setting: Setting, path: SettingPath): void => {
    const { unused } = setting.marks;
    if (unused === true) {
      warnings.push({ path: pathText(path), message: "is not supported; kept, without effect" });
      return;
    }
    if (typeof value === "string" && unused?.includes(value)) {
      const message = `is ${
        quote(value, MAX_VALUE_CHARS)
      }, which is not supported; kept, without effect`;
      warnings.push({ path: pathText(path), message });
    }
    if (setting.kind === "value") return;
    if (Array.isArray(value)) {
      const { rest } = setting;
      if (rest !== undefined) {
        value.forEach((item, index) => walk(item, rest, [...path, String(index)]));
      }
      return;
    }
    if (!isObject(value)) return;
    for (const [key, item] of Object.entries(value)) {
      const known = setting.entries.get(key) ??
        (setting.kind === "list" ? undefined : setting.rest);
      if (known !== undefined) {
        walk(item, known, [...path, key]);
        continue;
      }
      const near = nearest(key, setting.entries.keys());
      const hint = near === undefined ? "" : `; did you mean ${quote(near)}?`;
      const message = `is not a setting of this gateway; kept, without effect${hint}`;
      warnings.push({ path: pathText([...path, key]), message });
    }
  };
  walk(document, SETTINGS, []);
  return warnings;
}

/** One issue a path, and none below a path that has one: it only follows from it. */
function firstOfEachPath(issues: readonly SettingsIssue[]): readonly SettingsIssue[] {
  const byPath = new Map<string, SettingsIssue>();
  for (const issue of issues) {
    const keys = issue.path.split(".");
    const told = keys.some((_key, index) => byPath.has(keys.slice(0, index + 1).join(".")));
    if (!told) byPath.set(issue.path, issue);
  }
  return [...byPath.values()];
}

/** At most {@linkcode MAX_SETTINGS_ISSUES}; the last of more says how many were left out. */
export function bounded(issues: readonly SettingsIssue[]): readonly SettingsIssue[] {
  if (issues.length <= MAX_SETTINGS_ISSUES) return issues;
  const kept = issues.slice(0, MAX_SETTINGS_ISSUES - 1);
  return [...kept, { path: "", message: `and ${issues.length - kept.length} more` }];
}

/** Longest key for which a similar one is sought, in characters; longer ones are no typing mistakes. */
const MAX_TYPO_CHARS = 40;

/** The known key that is one slip of the fingers away: a letter more, less, other, or two swapped. */
function nearest(key: string, known: Iterable<string>): string | undefined {
  if (key.length < 3 || key.length > MAX_TYPO_CHARS) return undefined;
  const typed = key.toLowerCase();
  for (const candidate of known) {
    if (oneSlip(typed, candidate.toLowerCase())) return candidate;
  }
  return undefined;
}

function oneSlip(left: string, right: string): boolean {
  if (left === right) return true;
  if (Math.abs(left.length - right.length) > 1) return false;
  let at = 0;
  while (at < left.length && left[at] === right[at]) at++;
  const [tailLeft, tailRight] = [left.slice(at), right.slice(at)];
  return tailLeft.slice(1) === tailRight.slice(1) || tailLeft.slice(1) === tailRight ||
    tailLeft === tailRight.slice(1) ||
    (tailLeft[0] === tailRight[1] && tailLeft[1] === tailRight[0] &&
      tailLeft.slice(2) === tailRight.slice(2));
}
