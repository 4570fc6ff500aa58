/** Methods about channels: how they stand, and messages to the people on them. */

import * as v from "valibot";
import type { Access } from "../../../core/access.ts";
import type { Method } from "../../../core/method.ts";
import { type ChannelState, DEFAULT_ACCOUNT } from "../../../ports/channel.ts";
import { method, type OpenClawContext } from "../context.ts";
import { keyText, nameText, positive, runIdText, text } from "../params.ts";

const READ: Access = { role: "operator", scope: "operator.read" };
const WRITE: Access = { role: "operator", scope: "operator.write" };
const ADMIN: Access = { role: "operator", scope: "operator.admin" };

/** Longest wait for a probe that a client may ask, in milliseconds. */
const MAX_PROBE_MS = 60_000;

/** Most links of a message. */
const MAX_MEDIA_URLS = 16;

const link = v.pipe(v.string(), v.maxLength(2_048));

const ChannelAccount = v.object({
  accountId: v.string(),
  enabled: v.boolean(),
  configured: v.boolean(),
  running: v.boolean(),
  connected: v.boolean(),
  connections: v.number(),
  port: v.nullable(v.number()),
  lastError: v.optional(v.string()),
  lastStartAt: v.optional(v.number()),
  lastConnectedAt: v.optional(v.number()),
  lastInboundAt: v.optional(v.number()),
  lastOutboundAt: v.optional(v.number()),
});

const Sent = {
  runId: v.string(),
  messageId: v.string(),
  channel: v.string(),
  chatId: v.string(),
};

/** The methods of this group. */
export const channelMethods: readonly Method<OpenClawContext>[] = [
  method({
    name: "channels.status",
    access: READ,
    summary: "How each channel and its account stand.",
    params: v.strictObject({
      probe: v.optional(v.boolean()),
      timeoutMs: v.optional(
        v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_PROBE_MS)),
      ),
    }),
    result: v.object({
      ts: v.number(),
      channelOrder: v.array(v.string()),
      channelLabels: v.record(v.string(), v.string()),
      channelMeta: v.array(
        v.object({ id: v.string(), label: v.string(), detailLabel: v.string() }),
      ),
      channels: v.record(
        v.string(),
        v.object({
          configured: v.boolean(),
          running: v.boolean(),
          connected: v.boolean(),
          connections: v.number(),
        }),
      ),
      channelAccounts: v.record(v.string(), v.array(ChannelAccount)),
      channelDefaultAccountId: v.record(v.string(), v.string()),
    }),
    handler: (_params, { channels }) => {
      const { at, channels: all } = channels.list();
      const byId = <T>(value: (state: ChannelState, label: string) => T): Record<string, T> =>
        Object.fromEntries(
          all.map(({ channel, state }) => [channel.id, value(state, channel.label)]),
        );
      return {
        ts: at,
        channelOrder: all.map(({ channel }) => channel.id),
        channelLabels: byId((_state, label) => label),
        channelMeta: all.map(({ channel: { id, label } }) => ({ id, label, detailLabel: label })),
        channels: byId(({ configured, running, connected, connections }) => ({
          configured,
          running,
          connected,
          connections,
        })),
        channelAccounts: byId((state) => [{
          ...state,
          accountId: DEFAULT_ACCOUNT,
          port: state.port ?? null,
        }]),
        channelDefaultAccountId: byId(() => DEFAULT_ACCOUNT),
      };
    },
  }),
  method({
    name: "channels.logout",
    access: ADMIN,
    summary: "Ends every connection of a channel; its clients may come back.",
    params: v.strictObject({ channel: text, accountId: v.optional(nameText) }),
    result: v.object({
      channel: v.string(),
      accountId: v.string(),
      cleared: v.boolean(),
      closed: v.number(),
    }),
    handler: (params, { channels }) => {
      const { channel, accountId, closed } = channels.logout(params);
      return { channel, accountId, cleared: closed > 0, closed };
    },
  }),
  method({
    name: "send",
    access: WRITE,
    summary:
      "Writes to everyone of a conversation who is connected, once for each key: a user's id, or group:<id>.",
    params: v.strictObject({
      to: v.pipe(text, v.maxLength(512)),
      message: v.string(),
      mediaUrl: v.optional(link),
      mediaUrls: v.optional(v.pipe(v.array(link), v.maxLength(MAX_MEDIA_URLS))),
      gifPlayback: v.optional(v.boolean()),
      channel: v.optional(nameText),
      accountId: v.optional(nameText),
      sessionKey: v.optional(keyText),
      idempotencyKey: runIdText,
    }),
    result: v.object(Sent),
    handler: (params, { channels, sessions, principal }) => {
      const { to, message, mediaUrl, mediaUrls = [], channel, accountId, idempotencyKey } = params;
      const { sessionKey } = params;
      return channels.send(principal.tenant, {
        to,
        message,
        mediaUrls: mediaUrl === undefined ? mediaUrls : [mediaUrl, ...mediaUrls],
        channel,
        accountId,
        idempotencyKey,
        ...(sessionKey === undefined ? {} : {
          mirror: { sessionKey: sessions.canonicalKey(sessionKey), requestedKey: sessionKey },
        }),
      });
    },
  }),
  method({
    name: "poll",
    access: ADMIN,
    summary: "Asks a question with options; the same key later tells the answers so far.",
    advertised: false,
    params: v.strictObject({
      to: v.pipe(text, v.maxLength(512)),
      question: text,
      options: v.array(text),
      maxSelections: v.optional(positive),
      durationHours: v.optional(positive),
      channel: v.optional(nameText),
      accountId: v.optional(nameText),
      idempotencyKey: runIdText,
    }),
    result: v.object({
      ...Sent,
      pollId: v.string(),
      voters: v.number(),
      answers: v.array(v.object({ option: v.string(), count: v.number() })),
    }),
    handler: (params, { channels, principal }) => channels.poll(principal.tenant, params),
  }),
];
