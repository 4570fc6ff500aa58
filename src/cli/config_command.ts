/** `config`: read, change and check the settings. */

import { isSecretSetting, parseConfig } from "../config.ts";
import { pathText } from "../config/document.ts";
import { CallFailed } from "../client/client_error.ts";
import { GatewayError } from "../core/error.ts";
import { escapeText, quote } from "../core/quote.ts";
import type { Json } from "../ports/store.ts";
import { isObject, toJson, valueAt } from "../services/json_value.ts";
import { mergePatch } from "../services/merge_patch.ts";
import type { SettingsIssue } from "../services/settings_codec.ts";
import { checkKey, parseKey, patchFor } from "./config_key.ts";
import { type ConfigDesk, openConfigDesk } from "./config_desk.ts";
import { CommandFailed, EXIT, type ExitCode } from "./exit_code.ts";
import { jsonText, printable } from "./foreign_text.ts";
import type { Invocation } from "./gateway_access.ts";
import { localPaths, readIfThere, readSettings } from "./host_state.ts";
import { type JsonObject, object, objects } from "./json_view.ts";
import { mark } from "./mark.ts";

/** Longest line of an issue or a warning, in characters. */
const MAX_LINE_CHARS = 600;

/** Longest value read from standard input, in bytes. */
const MAX_VALUE_BYTES = 65_536;

/** Prints the settings in effect, or one of them; secrets are hidden. */
export async function configGet(invocation: Invocation, key?: string): Promise<void> {
  const { terminal, flags } = invocation;
  const keys = key === undefined ? [] : parseKey(key);
  await using desk = await openConfigDesk(invocation);
  const snapshot = object(await desk.get());
  const value = valueAt(toJson(snapshot.config), keys);
  if (value === undefined) {
    checkKey(keys);
    throw new CommandFailed(EXIT.failed, `${quote(keys.join("."), 80)} is not set`);
  }
  if (typeof value === "string" && flags.json !== true) {
    return terminal.out(`${printable(value)}\n`);
  }
  terminal.out(`${jsonText(value)}\n`);
}

/** Sets one setting; `null` takes it away. */
export async function configSet(
  invocation: Invocation,
  change: { readonly key: string; readonly value: string },
): Promise<void> {
  const { terminal, flags } = invocation;
  const keys = parseKey(change.key);
  checkKey(keys);
  const typed = change.value === "-" ? await readValue(invocation) : change.value;
  await using desk = await openConfigDesk(invocation);
  const snapshot = object(await desk.get());
  const parsed = toJson(snapshot.parsed);
  const before = issueLines(snapshot.warnings);
  const value = meaning(typed, keys, parsed);
  const patch = patchFor(keys, value, parsed);
  if (value === null && isObject(patch) && Object.keys(patch).length === 0) {
    const { path, config } = snapshot;
    const same = `${keys.join(".")} is not set; nothing was changed`;
    return terminal.out(
      flags.json === true ? `${jsonText({ ok: true, path, config })}\n` : `${printable(same)}\n`,
    );
  }
  const answer = await changing(() =>
    desk.patch({
      raw: JSON.stringify(patch),
      ...(typeof snapshot.hash === "string" ? { baseHash: snapshot.hash } : {}),
    })
  );
  // The change is made: what cannot be told of it any more does not undo it.
  const after = await desk.warnings().catch(() => []);
  for (const line of warnedOf(keys, { before, after })) terminal.err(`warning: ${line}\n`);
  if (flags.json === true) return terminal.out(`${jsonText(answer)}\n`);
  const shown = isSecretSetting(keys, value) ? "(hidden)" : jsonText(value, 0);
  const did = value === null
    ? `Removed ${keys.join(".")} from`
    : `Set ${keys.join(".")} to ${shown} in`;
  terminal.out(`${printable(did)} ${printable(String(object(answer).path ?? "the settings"))}\n`);
  terminal.out(`${effect(desk, answer)}\n`);
}

/** Warnings that a change brought, and all that there are of what it set. */
function warnedOf(
  keys: readonly string[],
  { before, after }: { readonly before: readonly string[]; readonly after: unknown },
): readonly string[] {
  const set = pathText(keys);
  const about = (path: string) =>
    path === set || path.startsWith(`${set}.`) || set.startsWith(`${path}.`);
  return objects(after).filter((issue) =>
    typeof issue.path === "string" && about(issue.path) || !before.includes(issueLine(issue))
  ).map(issueLine);
}

function issueLines(issues: unknown): readonly string[] {
  return objects(issues).map(issueLine);
}

/** One issue or warning on one line, safe to print. */
function issueLine({ path, message }: JsonObject): string {
  return escapeText(`${String(path ?? "")} ${String(message ?? "")}`.trim(), MAX_LINE_CHARS);
}

function effect(desk: ConfigDesk, answer: unknown): string {
  if (!desk.live) return "It takes effect when the gateway starts.";
  const { required, reason } = object(object(answer).restart);
  if (object(answer).takenFrom === "file" && required !== true) {
    return "The gateway reads the file within a second; `status` tells if it does not use it.";
  }
  const [, ...notes] = typeof reason === "string" ? reason.split("; ") : [];
  if (notes.length > 0) return printable(notes.join("; "));
  return required === true ? "It takes effect after a restart of the gateway." : "It is in effect.";
}

async function readValue({ terminal }: Invocation): Promise<string> {
  try {
    return (await terminal.readAll(MAX_VALUE_BYTES)).replace(/\r?\n$/, "");
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CommandFailed(EXIT.usage, error.message);
  }
}

/** JSON where it is JSON and the setting takes it, else text: a port is a number, a token of digits text. */
function meaning(typed: string, keys: readonly string[], parsed: Json): Json {
  let value: Json;
  try {
    value = toJson(JSON.parse(typed));
  } catch {
    return typed;
  }
  if (typeof value === "string" || !fails(value, keys, parsed)) return value;
  return fails(typed, keys, parsed) ? value : typed;
}

function fails(value: Json, keys: readonly string[], parsed: Json): boolean {
  const patch = patchFor(keys, value, parsed);
  const merged = mergePatch(isObject(parsed) ? parsed : {}, isObject(patch) ? patch : {});
  const path = keys.join(".");
  return parseConfig(merged, { env: {} }).issues.some((issue) => issue.path === path);
}

/** Turns a refusal that lists issues into one that shows them. */
async function changing<Result>(task: () => Promise<Result>): Promise<Result> {
  try {
    return await task();
  } catch (error) {
    const details = error instanceof CallFailed
      ? error.answer.details
      : error instanceof GatewayError
      ? error.extras.details
      : undefined;
    const lines = issueLines(object(details).issues);
    if (lines.length === 0) throw error;
    throw new CommandFailed(EXIT.configuration, lines.join("; "), "nothing was changed");
  }
}

/** Checks a settings file and prints what is wrong and what has no effect. */
export async function configValidate(invocation: Invocation, file?: string): Promise<ExitCode> {
  const { terminal, flags } = invocation;
  const { config, passedOver } = await localPaths(flags, terminal.env);
  const path = file ?? config;
  const raw = await readIfThere(path);
  if (raw === undefined && file !== undefined) {
    throw new CommandFailed(EXIT.configuration, `there is no file ${quote(path)}`);
  }
  const read = await readSettings(raw ?? "", { path, env: terminal.env });
  const { issues } = read;
  const others = file === undefined ? passedOver : [];
  const warnings: readonly SettingsIssue[] = [
    ...others.map((other) => ({ path: "", message: `${other} is not read, as ${path} is` })),
    ...read.warnings,
  ];
  const valid = issues.length === 0;
  if (flags.json === true) {
    terminal.out(`${jsonText({ path, exists: raw !== undefined, valid, issues, warnings })}\n`);
    return valid ? EXIT.ok : EXIT.configuration;
  }
  const print = (kind: "broken" | "warning", found: readonly SettingsIssue[]) => {
    for (const issue of found) {
      terminal.out(
        `${mark(terminal, kind)} ${printable(`${issue.path} ${issue.message}`.trim())}\n`,
      );
    }
  };
  print("broken", issues);
  print("warning", warnings);
  const about = raw === undefined
    ? "is not there; the defaults hold"
    : valid
    ? "is valid"
    : "is not valid";
  terminal.out(`${mark(terminal, valid ? "fine" : "broken")} ${printable(path)} ${about}\n`);
  return valid ? EXIT.ok : EXIT.configuration;
}

/** Prints where the settings file is, or would be. */
export async function configPath({ terminal, flags }: Invocation): Promise<void> {
  const { config } = await localPaths(flags, terminal.env);
  if (flags.json !== true) return terminal.out(`${printable(config)}\n`);
  const exists = await readIfThere(config) !== undefined;
  terminal.out(`${jsonText({ path: config, exists })}\n`);
}
