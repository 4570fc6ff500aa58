/** The chat channel from the server's side: who is it, then messages and their answers. */

import type { GatewayError } from "../../core/error.ts";
import {
  catchUp,
  type Effect,
  ending,
  failing,
  type Machine,
  machineOf,
  type Outcome,
  type Result,
  type Step,
  type WireTypes,
} from "../../core/machine.ts";
import type { RunId, RunStep } from "../../services/domain_event.ts";
import { blocksOf } from "./blocks.ts";
import {
  type ChatMessage,
  type ClientFrame,
  MAX_CHAT_MESSAGE_BYTES,
  type ServerFrame,
} from "./codec.ts";
import type { Identity } from "./identity.ts";
import { TEXTS } from "./texts.ts";

/** Messages that wait while the client is identified; one more ends the connection. */
export const MAX_EARLY_MESSAGES = 32;

/** Messages of one connection whose acceptance or answer is awaited; one more is refused. */
export const MAX_ANSWERS_AWAITED = 64;

/** What the machine asks to be done. */
export type ChatCall =
  /** Find out who it is. */
  | { readonly kind: "identify" }
  | {
    readonly kind: "send";
    readonly messageId: string;
    readonly message: ChatMessage;
    readonly identity: Identity;
  };

/** What those calls answer with. */
export type ChatValue =
  | { readonly kind: "identified"; readonly identity: Identity }
  /** A run answers it. */
  | { readonly kind: "accepted"; readonly messageId: string }
  /** It is answered already. */
  | { readonly kind: "answered"; readonly messageId: string; readonly text: string };

/** What happens to a connection from within the gateway. */
export type ChatEvent =
  /** A run went on; `own`: this connection asked for it, so that one of its answers is awaited no more. */
  | {
    readonly kind: "step";
    readonly runId: RunId;
    readonly messageId: string;
    readonly step: RunStep;
    readonly own: boolean;
  }
  /** A message that answers none. */
  | { readonly kind: "told"; readonly messageId: string; readonly text: string }
  | { readonly kind: "leave"; readonly reason: string };

/** All that is remembered of a connection. */
export type ChatState =
  | { readonly phase: "identifying"; readonly early: readonly ClientFrame[] }
  | { readonly phase: "open"; readonly identity: Identity; readonly awaited: number };

/** The types of this wire. */
export interface ChatTypes extends WireTypes {
  readonly State: ChatState;
  readonly Frame: ClientFrame;
  readonly Out: ServerFrame;
  readonly Call: ChatCall;
  readonly Value: ChatValue;
  readonly Topic: Identity;
  readonly Event: ChatEvent;
}

/** How answers are told. */
export interface ChatManner {
  /** `cumulative`: each part is all so far; `delta`: what came since the part before. */
  readonly streamMode: "cumulative" | "delta";
  /** Longest block of an answer, in characters. */
  readonly blockChars: number;
}

type Next = Step<ChatTypes>;
type Act = Effect<ChatTypes>;

const NOTHING: readonly Act[] = [];

/** The machine of one connection; `manner` is asked at each part of an answer, as it may change meanwhile. */
export function chatMachine(manner: () => ChatManner): Machine<ChatTypes> {
  return machineOf<ChatTypes>({
    open: () => [{ phase: "identifying", early: [] }, [
      { type: "call", call: { kind: "identify" } },
    ]],
    frame: receive,
    result: conclude,
    event: (state, event) => notify(state, event, manner()),
  });
}

function receive(state: ChatState, frame: ClientFrame): Next {
  if (frame.size > MAX_CHAT_MESSAGE_BYTES) return [state, [closing(1009, "")]];
  if (state.phase === "identifying") {
    if (state.early.length >= MAX_EARLY_MESSAGES) {
      return [state, [closing(1008, "too many messages before the greeting")]];
    }
    return [{ ...state, early: [...state.early, frame] }, NOTHING];
  }
  if (frame.kind === "noise") return [state, [failure(undefined, TEXTS.noise)]];
  if (frame.kind === "malformed") return [state, [failure(frame.messageId, TEXTS.malformed)]];
  const { message, messageId } = frame;
  if (state.awaited >= MAX_ANSWERS_AWAITED) {
    const why = `more than ${MAX_ANSWERS_AWAITED} answers are awaited; wait for some`;
    return [state, [failure(messageId, `${TEXTS.failed}: ${why}`)]];
  }
  return [{ ...state, awaited: state.awaited + 1 }, [
    { type: "call", call: { kind: "send", messageId, message, identity: state.identity } },
  ]];
}

function conclude(state: ChatState, { call, outcome }: Result<ChatTypes>): Next {
  if (call.kind === "identify") return identified(state, outcome);
  if (state.phase !== "open") return [state, NOTHING];
  if (!outcome.ok && outcome.close !== undefined) return [state, failing(outcome, refused)];
  if (outcome.ok && outcome.value.kind === "accepted") {
    const { messageId } = outcome.value;
    return [state, [{ type: "send", frame: { kind: "typing", messageId } }]];
  }
  const rest = { ...state, awaited: state.awaited - 1 };
  if (outcome.ok && outcome.value.kind === "answered") {
    const { messageId, text: content } = outcome.value;
    return [rest, [{ type: "send", frame: { kind: "final", messageId, content } }]];
  }
  return outcome.ok ? [rest, NOTHING] : [rest, [refusal(call.messageId, outcome.error)]];
}

/** Listens first, greets second, then hears what came meanwhile. */
function identified(state: ChatState, outcome: Outcome<ChatValue>): Next {
  if (state.phase !== "identifying") return [state, NOTHING];
  if (!outcome.ok) return [state, failing(ending(outcome), refused)];
  if (outcome.value.kind !== "identified") return [state, NOTHING];
  const { identity } = outcome.value;
  const greeted: Next = [{ phase: "open", identity, awaited: 0 }, [
    { type: "subscribe", topic: identity },
    { type: "send", frame: { kind: "greeting" } },
  ]];
  return catchUp(greeted, { frames: state.early, receive });
}

function notify(state: ChatState, event: ChatEvent, manner: ChatManner): Next {
  if (event.kind === "leave") return [state, [closing(1000, event.reason)]];
  if (state.phase !== "open") return [state, NOTHING];
  if (event.kind === "told") return [state, finals(event, manner)];
  const { runId, messageId, step, own } = event;
  const done = step.kind !== "start" && step.kind !== "text";
  const next = done && own ? { ...state, awaited: state.awaited - 1 } : state;
  switch (step.kind) {
    case "start":
      return [next, [{ type: "send", frame: { kind: "typing", messageId } }]];
    case "text": {
      const cumulative = manner.streamMode === "cumulative";
      // Every part repeats all text: a few in a second are enough for the eye.
      if (cumulative && !step.partial) return [next, NOTHING];
      const content = cumulative ? step.text : step.delta;
      const frame = { kind: "stream", runId, messageId, content, cumulative } as const;
      return [next, [{ type: "send", frame }]];
    }
    case "end":
      return [next, finals({ messageId, text: step.text }, manner)];
    case "aborted": {
      const said = step.text === "" ? [] : finals({ messageId, text: step.text }, manner);
      return [next, [...said, failure(messageId, `${TEXTS.failed}: the answer was cut short`)]];
    }
    case "failed":
      // What a model or its provider says names things that are the operator's alone.
      return [next, [
        failure(messageId, `${TEXTS.failed}: the agent could not answer; try again later`),
      ]];
  }
}

/** A whole answer, in blocks; an empty one is one empty block, so that every message is answered. */
function finals(
  { messageId, text }: { readonly messageId: string; readonly text: string },
  { blockChars }: ChatManner,
): readonly Act[] {
  return blocksOf(text, blockChars).map((content) => ({
    type: "send",
    frame: { kind: "final", messageId, content },
  }));
}

/** Why it may not come in, or not stay. */
function refused(error: GatewayError): Act {
  return failure(undefined, error.message);
}

function refusal(messageId: string, error: GatewayError | undefined): Act {
  const told = error !== undefined &&
    (error.code === "INVALID_REQUEST" || error.extras.retryable === true);
  const why = told ? error.message : "the gateway cannot do it now; ask who runs it";
  return failure(messageId, `${TEXTS.failed}: ${why}`);
}

function failure(messageId: string | undefined, error: string): Act {
  const frame: ServerFrame = messageId === undefined
    ? { kind: "error", error }
    : { kind: "error", messageId, error };
  return { type: "send", frame };
}

function closing(code: number, reason: string): Act {
  return { type: "close", code, reason };
}
