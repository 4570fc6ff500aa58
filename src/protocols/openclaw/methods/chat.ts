/** `chat.*`: the conversation of a session, as a chat window uses it. */

import * as v from "valibot";
import { GatewayError } from "../../../core/error.ts";
import type { Method } from "../../../core/method.ts";
import { toImages } from "../attachments.ts";
import { method, type OpenClawContext } from "../context.ts";
import { count, keyText, nameText, runIdText, text } from "../params.ts";
import { failedRun, toWireMessage, WireMessage } from "../transcript.ts";

const READ = { role: "operator", scope: "operator.read" } as const;
const WRITE = { role: "operator", scope: "operator.write" } as const;
const ADMIN = { role: "operator", scope: "operator.admin" } as const;

/** Messages of a history that a client does not limit. */
const DEFAULT_HISTORY_MESSAGES = 200;

/** Most messages that a client may ask for. */
const MAX_HISTORY_MESSAGES = 1_000;

/** Longest label of a note, in characters. */
const MAX_NOTE_LABEL_CHARS = 100;

const Aborted = v.object({
  ok: v.literal(true),
  aborted: v.boolean(),
  runIds: v.array(v.string()),
});

type Aborted = v.InferInput<typeof Aborted>;

/** The first two are those of a run that begins or goes on; `ok`: it has ended before. */
const Sent = v.union([
  v.object({ runId: v.string(), status: v.picklist(["started", "in_flight", "ok"]) }),
  Aborted,
]);

type Sent = v.InferInput<typeof Sent>;

/** The methods of this group. */
export const chatMethods: readonly Method<OpenClawContext>[] = [
  method({
    name: "chat.history",
    access: READ,
    summary: "The newest messages of a session, oldest first.",
    params: v.strictObject({
      sessionKey: keyText,
      limit: v.optional(
        v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_HISTORY_MESSAGES)),
      ),
    }),
    result: v.object({
      sessionKey: v.string(),
      sessionId: v.optional(v.string()),
      messages: v.array(WireMessage),
      thinkingLevel: v.optional(v.string()),
    }),
    handler: async (params, { sessions, principal, call }) => {
      const { sessionKey, limit = DEFAULT_HISTORY_MESSAGES } = params;
      const key = sessions.canonicalKey(sessionKey);
      const reader = { caller: principal.connection, signal: call.signal };
      const { entry, messages } = await sessions.history(principal.tenant, key, { limit, reader });
      return {
        sessionKey,
        sessionId: entry?.sessionId,
        messages: messages.map(toWireMessage),
        thinkingLevel: entry?.thinkingLevel,
      };
    },
  }),
  method({
    name: "chat.send",
    access: WRITE,
    summary: "Stores a message and starts a run that answers it; the answer comes as events.",
    params: v.strictObject({
      sessionKey: keyText,
      message: v.string(),
      thinking: v.optional(nameText),
      deliver: v.optional(v.boolean()),
      attachments: v.optional(v.array(v.unknown())),
      timeoutMs: v.optional(count),
      idempotencyKey: runIdText,
    }),
    result: Sent,
    handler: async (params, { runs, sessions, principal, call }): Promise<Sent> => {
      const outcome = await runs.start(principal, {
        kind: "chat",
        sessionKey: sessions.canonicalKey(params.sessionKey),
        requestedKey: params.sessionKey,
        idempotencyKey: params.idempotencyKey,
        params,
        message: params.message,
        images: toImages(params.attachments),
        thinking: params.thinking,
        timeoutMs: params.timeoutMs,
      });
      switch (outcome.status) {
        case "stopped":
          return { ok: true, aborted: outcome.aborted, runIds: [...outcome.runIds] };
        case "accepted":
          call.afterAnswer(outcome.begin);
          return { runId: outcome.runId, status: "started" };
        case "in_flight":
          return { runId: outcome.runId, status: "in_flight" };
        case "ended": {
          const { runId, record } = outcome;
          if (record.state !== "failed") return { runId, status: "ok" };
          const summary = record.error ?? "the run failed";
          throw new GatewayError("UNAVAILABLE", summary, failedRun(runId, summary));
        }
      }
    },
  }),
  method({
    name: "chat.abort",
    access: WRITE,
    summary: "Ends one run of a session, or all of them; what was said so far is kept.",
    params: v.strictObject({ sessionKey: keyText, runId: v.optional(runIdText) }),
    result: Aborted,
    handler: async ({ sessionKey, runId }, { runs, sessions, principal }): Promise<Aborted> => {
      const outcome = await runs.abort(principal.tenant, {
        sessionKey: sessions.canonicalKey(sessionKey),
        runId,
      });
      return { ok: true, aborted: outcome.aborted, runIds: [...outcome.runIds] };
    },
  }),
  method({
    name: "chat.inject",
    access: ADMIN,
    summary: "Puts a note into a session as if the assistant had said it, without a run.",
    advertised: false,
    params: v.strictObject({
      sessionKey: keyText,
      message: text,
      label: v.optional(v.pipe(v.string(), v.maxLength(MAX_NOTE_LABEL_CHARS))),
    }),
    result: v.object({ ok: v.literal(true), messageId: v.string() }),
    handler: async ({ sessionKey, message, label }, { runs, sessions, principal }) => {
      const { messageId } = await runs.inject(principal.tenant, {
        sessionKey: sessions.canonicalKey(sessionKey),
        requestedKey: sessionKey,
        message,
        label: label?.trim() || undefined,
      });
      return { ok: true as const, messageId };
    },
  }),
];
