/** One line of the presence list, made from what clients and operators say: foreign text, escaped and cut. */

import type { ConnectionId, DeviceId } from "../core/id.ts";
import { escapeText } from "../core/quote.ts";

/** Longest host, text, reason in an entry, in characters. */
const MAX_TEXT_CHARS = 256;

/** Longest version, platform, mode, id, role, scope, tag in an entry, in characters. */
const MAX_NAME_CHARS = 64;

/** Most tags, roles or scopes in an entry; the rest is left out. */
const MAX_NAMES = 16;

/** One line of the presence list. Every text is one escaped line; `ts` is when the entry last changed. */
export interface PresenceEntry {
  readonly host?: string;
  readonly ip?: string;
  readonly version?: string;
  readonly platform?: string;
  readonly deviceFamily?: string;
  readonly modelIdentifier?: string;
  readonly mode?: string;
  readonly lastInputSeconds?: number;
  readonly reason?: string;
  readonly tags?: readonly string[];
  readonly text?: string;
  readonly ts: number;
  readonly deviceId?: string;
  readonly roles?: readonly string[];
  readonly scopes?: readonly string[];
  readonly instanceId?: string;
}

/** What the gateway says of itself. */
export interface GatewaySelf {
  readonly host: string;
  readonly ip?: string;
  readonly version: string;
  readonly platform: string;
}

/** A client as it came in. Its texts are its own words; identity, role and scopes are what was granted. */
export interface PresentClient {
  readonly connection: ConnectionId;
  /** Its device, where it proved one. */
  readonly deviceId?: DeviceId;
  readonly instanceId?: string;
  /** Its name for people. */
  readonly host: string;
  /** Where it comes from; absent for clients on the gateway's own host. */
  readonly ip?: string;
  readonly version: string;
  readonly platform: string;
  readonly deviceFamily?: string;
  readonly modelIdentifier?: string;
  readonly mode: string;
  readonly role: string;
  readonly scopes: readonly string[];
}

/** What an operator announces about a machine, a program or an event. */
export type PresenceNote = Omit<PresenceEntry, "ts" | "text"> & { readonly text: string };

/** Members that an announcement may change on the entry of a connected client: none of its identity. */
export const NOTABLE = [
  "host",
  "version",
  "platform",
  "deviceFamily",
  "modelIdentifier",
  "mode",
  "lastInputSeconds",
  "reason",
  "tags",
  "text",
] as const;

/** The kinds are kept apart: what a client calls itself never names another's device. */
export function identityOf({ deviceId, instanceId, connection }: PresentClient): string {
  if (deviceId !== undefined) return `device:${deviceId}`;
  if (instanceId !== undefined) return `instance:${name(instanceId)}`;
  return `connection:${connection}`;
}

/** What a note speaks of; see {@linkcode identityOf}. */
export function subjectOf({ deviceId, instanceId, host, ip, text }: PresenceNote): string {
  if (deviceId !== undefined) return `device:${name(deviceId)}`;
  if (instanceId !== undefined) return `instance:${name(instanceId)}`;
  return `note:${escapeText(host ?? ip ?? text, MAX_TEXT_CHARS)}`;
}

/** What the newest connection says of itself, with the roles and scopes of all of them. */
export function entryOf(
  clients: readonly PresentClient[],
  { reason, ts }: { reason: string; ts: number },
): PresenceEntry {
  const newest = clients.at(-1);
  if (newest === undefined) return { reason, ts };
  const { connection: _connection, role: _role, ...facts } = newest;
  return Object.freeze(tidy({
    ...facts,
    roles: [...new Set(clients.map(({ role }) => role))],
    scopes: [...new Set(clients.flatMap(({ scopes }) => scopes))],
    reason,
    ts,
  }));
}

/** Foreign texts on one line each, cut; what is empty left out. */
export function tidy(entry: PresenceEntry): PresenceEntry {
  return defined({
    host: line(entry.host),
    ip: shortLine(entry.ip),
    version: shortLine(entry.version),
    platform: shortLine(entry.platform),
    deviceFamily: shortLine(entry.deviceFamily),
    modelIdentifier: shortLine(entry.modelIdentifier),
    mode: shortLine(entry.mode),
    lastInputSeconds: entry.lastInputSeconds,
    reason: line(entry.reason),
    tags: names(entry.tags),
    text: line(entry.text),
    ts: entry.ts,
    deviceId: shortLine(entry.deviceId),
    roles: names(entry.roles),
    scopes: names(entry.scopes),
    instanceId: shortLine(entry.instanceId),
  });
}

function defined(entry: PresenceEntry): PresenceEntry {
  const { ts, ...rest } = entry;
  const kept = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { ...kept, ts };
}

function line(text: string | undefined): string | undefined {
  const trimmed = text?.trim();
  return trimmed ? escapeText(trimmed, MAX_TEXT_CHARS) : undefined;
}

function shortLine(text: string | undefined): string | undefined {
  const trimmed = text?.trim();
  return trimmed ? name(trimmed) : undefined;
}

function name(text: string): string {
  return escapeText(text, MAX_NAME_CHARS);
}

function names(list: readonly string[] | undefined): readonly string[] | undefined {
  if (list === undefined) return undefined;
  const kept = list.slice(0, MAX_NAMES).map((text) => name(text.trim())).filter((text) => text);
  return kept.length === 0 ? undefined : Object.freeze(kept);
}
