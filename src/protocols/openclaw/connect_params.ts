/** The parameters of `connect`: their shape, their bounds, and what a refusal says. */

import * as v from "valibot";
import { invalidRequest } from "../../core/error.ts";
import { explain } from "../../core/explain.ts";
import { isJsonObject } from "../../core/json.ts";
import { count, positive } from "./params.ts";

/** The clients that the protocol document names. */
export const CLIENT_IDS = [
  "webchat-ui",
  "openclaw-control-ui",
  "webchat",
  "cli",
  "gateway-client",
  "openclaw-macos",
  "openclaw-ios",
  "openclaw-android",
  "node-host",
  "test",
  "fingerprint",
  "openclaw-probe",
] as const;

/** The client modes that the protocol document names. */
export const CLIENT_MODES = ["webchat", "cli", "ui", "backend", "node", "probe", "test"] as const;

/** Longest name, version, scope and the like, in characters; longer ones are refused. */
export const MAX_NAME_CHARS = 512;

/** Longest token, key, signature, path list and user agent, in characters; longer ones are refused. */
export const MAX_BLOB_CHARS = 4_096;

/** Most scopes, and most capabilities; more are refused. */
export const MAX_SCOPES = 64;

/** Most commands of a node; more are refused. */
export const MAX_COMMANDS = 256;

/** What a client may call itself besides the listed ids and modes. */
const WELL_FORMED = /^[a-z0-9-]{1,64}$/;

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_NAME_CHARS));
const blob = v.pipe(v.string(), v.maxLength(MAX_BLOB_CHARS));
const filledBlob = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_BLOB_CHARS));
const wellFormed = v.pipe(v.string(), v.regex(WELL_FORMED));

function names(most: number) {
  return v.pipe(v.array(name), v.maxLength(most), v.readonly());
}

/**
 * The document's `ConnectParams`, closed, and one addition: `resume` names a former connection and the
 * last sequence number seen there. `client.id` and `client.mode` may be any well-formed name.
 */
export const ConnectParams = v.strictObject({
  minProtocol: positive,
  maxProtocol: positive,
  client: v.strictObject({
    id: v.union([v.picklist(CLIENT_IDS), wellFormed]),
    displayName: v.optional(name),
    version: name,
    platform: name,
    deviceFamily: v.optional(name),
    modelIdentifier: v.optional(name),
    mode: v.union([v.picklist(CLIENT_MODES), wellFormed]),
    instanceId: v.optional(name),
  }),
  caps: v.optional(names(MAX_SCOPES)),
  commands: v.optional(names(MAX_COMMANDS)),
  permissions: v.optional(v.record(v.string(), v.boolean())),
  pathEnv: v.optional(blob),
  role: v.optional(name),
  scopes: v.optional(names(MAX_SCOPES)),
  device: v.optional(v.strictObject({
    id: name,
    publicKey: filledBlob,
    signature: filledBlob,
    signedAt: count,
    nonce: v.optional(name),
  })),
  auth: v.optional(v.strictObject({
    token: v.optional(blob),
    password: v.optional(blob),
  })),
  locale: v.optional(v.pipe(v.string(), v.maxLength(MAX_NAME_CHARS))),
  userAgent: v.optional(blob),
  resume: v.optional(v.strictObject({ connId: name, seq: count })),
});

/** The parameters of `connect`, parsed. */
export type ConnectParams = v.InferOutput<typeof ConnectParams>;

/**
 * Parses the parameters of `connect`. Throws `INVALID_REQUEST` `invalid connect params: <problem>;
 * <problem>…`; where a client's id or mode is refused, `details.allowed` lists what is accepted.
 */
export function parseConnectParams(params: unknown): ConnectParams {
  const value = params ?? {};
  if (hasNoList(value)) {
    const parsed = v.safeParse(ConnectParams, value);
    if (parsed.success) return parsed.output;
  }
  const problems = explain(ConnectParams, value);
  const allowed: Record<string, readonly string[]> = {};
  if (concerns(problems, "/client/id")) allowed["client.id"] = [...CLIENT_IDS, PATTERN];
  if (concerns(problems, "/client/mode")) allowed["client.mode"] = [...CLIENT_MODES, PATTERN];
  const details = Object.keys(allowed).length === 0 ? undefined : { allowed };
  throw invalidRequest(`invalid connect params: ${problems.join("; ")}`, { details });
}

/** The members that are lists. */
const LISTS: ReadonlySet<string> = new Set(["caps", "commands", "scopes"]);

/** Whether there is no list where an object belongs: object schemas of valibot take lists as well. */
function hasNoList(value: unknown): boolean {
  return isJsonObject(value) &&
    Object.entries(value).every(([member, held]) => LISTS.has(member) || !Array.isArray(held));
}

const PATTERN = `any name that matches ${WELL_FORMED.source}`;

function concerns(problems: readonly string[], path: string): boolean {
  return problems.some((problem) => problem.startsWith(`at ${path}: `));
}
