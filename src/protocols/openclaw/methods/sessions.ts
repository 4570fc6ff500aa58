/** `sessions.*`: who talks where, with which settings, and what becomes of old messages. */

import * as v from "valibot";
import type { Method } from "../../../core/method.ts";
import type { SessionEntry } from "../../../services/session_entry.ts";
import type { ListedSession } from "../../../services/session_list.ts";
import { method, type OpenClawContext } from "../context.ts";
import { positive, text } from "../params.ts";

const READ = { role: "operator", scope: "operator.read" } as const;
const ADMIN = { role: "operator", scope: "operator.admin" } as const;

/** Longest label, in characters. */
const MAX_LABEL_CHARS = 64;

/** Fewest characters of a message that a preview can be asked for. */
const MIN_PREVIEW_CHARS = 20;

const flag = v.optional(v.boolean());
const label = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_LABEL_CHARS));
const setting = v.nullish(text);
const textOut = v.optional(v.string());
const countOut = v.optional(v.number());

const Row = v.object({
  key: v.string(),
  kind: v.picklist(["direct", "group", "global", "unknown"]),
  label: textOut,
  displayName: textOut,
  derivedTitle: textOut,
  lastMessagePreview: textOut,
  channel: textOut,
  subject: textOut,
  groupChannel: textOut,
  space: textOut,
  chatType: textOut,
  updatedAt: v.nullable(v.number()),
  sessionId: textOut,
  systemSent: v.optional(v.boolean()),
  abortedLastRun: v.optional(v.boolean()),
  thinkingLevel: textOut,
  verboseLevel: textOut,
  reasoningLevel: textOut,
  elevatedLevel: textOut,
  sendPolicy: v.optional(v.picklist(["allow", "deny"])),
  inputTokens: countOut,
  outputTokens: countOut,
  totalTokens: countOut,
  responseUsage: v.optional(v.picklist(["on", "off", "tokens", "full"])),
  modelProvider: textOut,
  model: textOut,
  contextTokens: countOut,
  lastChannel: textOut,
  lastTo: textOut,
  lastAccountId: textOut,
});

const List = v.object({
  ts: v.number(),
  path: v.string(),
  count: v.number(),
  defaults: v.object({
    modelProvider: v.nullable(v.string()),
    model: v.nullable(v.string()),
    contextTokens: v.nullable(v.number()),
  }),
  sessions: v.array(Row),
});

const Previews = v.object({
  ts: v.number(),
  previews: v.array(v.object({
    key: v.string(),
    status: v.picklist(["ok", "empty", "missing", "error"]),
    items: v.array(v.object({
      role: v.picklist(["user", "assistant", "tool", "system", "other"]),
      text: v.string(),
    })),
  })),
});

const ListParams = v.strictObject({
  limit: v.optional(positive),
  activeMinutes: v.optional(positive),
  includeGlobal: flag,
  includeUnknown: flag,
  includeDerivedTitles: flag,
  includeLastMessage: flag,
  label: v.optional(label),
  spawnedBy: v.optional(text),
  agentId: v.optional(text),
  search: v.optional(v.string()),
});

const PreviewParams = v.strictObject({
  keys: v.pipe(v.array(text), v.minLength(1)),
  limit: v.optional(positive),
  maxChars: v.optional(v.pipe(v.number(), v.integer(), v.minValue(MIN_PREVIEW_CHARS))),
});

const ResolveParams = v.strictObject({
  key: v.optional(text),
  sessionId: v.optional(text),
  label: v.optional(label),
  agentId: v.optional(text),
  spawnedBy: v.optional(text),
  includeGlobal: flag,
  includeUnknown: flag,
});

const PatchParams = v.strictObject({
  key: text,
  label: v.nullish(label),
  thinkingLevel: setting,
  verboseLevel: setting,
  reasoningLevel: setting,
  responseUsage: v.optional(v.union([
    v.literal("off"),
    v.literal("tokens"),
    v.literal("full"),
    v.literal("on"),
    v.null(),
  ])),
  elevatedLevel: setting,
  execHost: setting,
  execSecurity: setting,
  execAsk: setting,
  execNode: setting,
  model: setting,
  spawnedBy: setting,
  sendPolicy: v.optional(v.union([v.literal("allow"), v.literal("deny"), v.null()])),
  groupActivation: v.optional(v.union([v.literal("mention"), v.literal("always"), v.null()])),
});

const Done = { ok: v.literal(true), key: v.string() } as const;

/** The methods of this group. */
export const sessionMethods: readonly Method<OpenClawContext>[] = [
  method({
    name: "sessions.list",
    access: READ,
    summary: "Sessions, the most recently used first, by any combination of filters.",
    params: ListParams,
    result: List,
    handler: async (params, { sessions, principal, call }) => {
      const { includeDerivedTitles = false, includeLastMessage = false, ...query } = params;
      const reader = { caller: principal.connection, signal: call.signal };
      const found = await sessions.list(principal.tenant, { ...query, reader });
      return {
        ts: found.at,
        path: sessions.path,
        count: found.sessions.length,
        defaults: sessions.defaults(),
        sessions: found.sessions.map((one) =>
          toRow(one, { includeDerivedTitles, includeLastMessage })
        ),
      };
    },
  }),
  method({
    name: "sessions.preview",
    access: READ,
    summary: "The last messages of up to 64 sessions, cut to a few lines.",
    params: PreviewParams,
    result: Previews,
    handler: async ({ keys, ...bounds }, { sessions, principal, call }) => {
      const reader = { caller: principal.connection, signal: call.signal };
      const wanted = { ...bounds, reader };
      const { at, previews } = await sessions.preview(principal.tenant, keys, wanted);
      return { ts: at, previews };
    },
  }),
  method({
    name: "sessions.resolve",
    access: ADMIN,
    summary: "The key of a session, from its key in any spelling, its id or its label.",
    params: ResolveParams,
    result: v.object(Done),
    handler: async (params, { sessions, principal }) => {
      const { key } = await sessions.resolve(principal.tenant, params);
      return { ok: true as const, key };
    },
  }),
  method({
    name: "sessions.patch",
    access: ADMIN,
    summary: "Changes settings of a session, making it if need be; null clears a setting.",
    params: PatchParams,
    result: v.object({
      ...Done,
      path: v.string(),
      entry: v.unknown(),
      resolved: v.object({ modelProvider: textOut, model: textOut }),
    }),
    handler: async ({ key: written, ...patch }, { sessions, principal }) => {
      const key = sessions.canonicalKey(written);
      const { entry, resolved } = await sessions.patch(principal.tenant, key, patch);
      return { ok: true as const, path: sessions.path, key, entry, resolved };
    },
  }),
  method({
    name: "sessions.reset",
    access: ADMIN,
    summary: "Starts the conversation of a session anew; its settings stay.",
    params: v.strictObject({ key: text }),
    result: v.object({ ...Done, entry: v.unknown() }),
    handler: async ({ key: written }, { sessions, principal }) => {
      const key = sessions.canonicalKey(written);
      return { ok: true as const, key, entry: await sessions.reset(principal.tenant, key) };
    },
  }),
  method({
    name: "sessions.delete",
    access: ADMIN,
    summary: "Deletes a session other than the main one and puts its messages into an archive.",
    params: v.strictObject({ key: text, deleteTranscript: flag }),
    result: v.object({ ...Done, deleted: v.boolean(), archived: v.array(v.string()) }),
    handler: async ({ key: written, deleteTranscript = true }, { sessions, principal }) => {
      const key = sessions.canonicalKey(written);
      const keepTranscript = !deleteTranscript;
      const { deleted, archived } = await sessions.remove(principal.tenant, key, {
        keepTranscript,
      });
      return { ok: true as const, key, deleted, archived };
    },
  }),
  method({
    name: "sessions.compact",
    access: ADMIN,
    summary:
      "Keeps the newest messages of a session (400 unless told) and archives the older ones.",
    params: v.strictObject({ key: text, maxLines: v.optional(positive) }),
    result: v.object({
      ...Done,
      compacted: v.boolean(),
      reason: textOut,
      archived: textOut,
      kept: countOut,
    }),
    handler: async ({ key: written, maxLines: keep }, { sessions, principal }) => {
      const key = sessions.canonicalKey(written);
      return { ok: true as const, key, ...await sessions.compact(principal.tenant, key, { keep }) };
    },
  }),
];

function toRow(
  { key, kind, entry }: ListedSession,
  shown: { readonly includeDerivedTitles: boolean; readonly includeLastMessage: boolean },
): v.InferInput<typeof Row> {
  return {
    key,
    kind,
    label: entry.label,
    displayName: entry.displayName,
    derivedTitle: shown.includeDerivedTitles ? titleOf(entry) : undefined,
    lastMessagePreview: shown.includeLastMessage ? entry.lastMessagePreview : undefined,
    channel: entry.channel,
    subject: entry.subject,
    groupChannel: entry.groupChannel,
    space: entry.space,
    chatType: entry.chatType,
    updatedAt: entry.updatedAt,
    sessionId: entry.sessionId,
    systemSent: entry.systemSent,
    abortedLastRun: entry.abortedLastRun,
    thinkingLevel: entry.thinkingLevel,
    verboseLevel: entry.verboseLevel,
    reasoningLevel: entry.reasoningLevel,
    elevatedLevel: entry.elevatedLevel,
    sendPolicy: entry.sendPolicy,
    inputTokens: entry.inputTokens,
    outputTokens: entry.outputTokens,
    totalTokens: entry.totalTokens,
    responseUsage: entry.responseUsage,
    modelProvider: entry.providerOverride ?? entry.modelProvider,
    model: entry.modelOverride ?? entry.model,
    contextTokens: entry.contextTokens,
    lastChannel: entry.lastChannel,
    lastTo: entry.lastTo,
    lastAccountId: entry.lastAccountId,
  };
}

/** A name that somebody gave stands before one that was derived. */
function titleOf({ displayName, subject, derivedTitle }: SessionEntry): string | undefined {
  return displayName ?? subject ?? derivedTitle;
}
