/** The events of the OpenClaw wire: who gets each, what becomes of it when a client is slow, how it looks. */

import { type Access, permits, type Principal } from "../../core/access.ts";
import type { Overflow } from "../../core/outbox.ts";
import type {
  DomainEvent,
  RunEvent,
  SessionMessageEvent,
  StateVersions,
} from "../../services/domain_event.ts";
import { type EventFrame, eventOpening } from "./codec.ts";
import { toWireUsage, type WireMessage } from "./transcript.ts";

/** One event of the wire. */
export interface EventDefinition {
  /** One sentence for the wire page. */
  readonly summary: string;
  /** Who gets it; absent: every connection, whatever its role. */
  readonly audience?: Access;
  /** What becomes of it when the connection is behind. */
  readonly overflow: Overflow;
  /** False: sent to one connection, outside the numbered stream. */
  readonly sequenced: boolean;
}

const READERS: Access = { role: "operator", scope: "operator.read" };
const PAIRING: Access = { role: "operator", scope: "operator.pairing" };

/** Every event that this gateway sends, by name; the advertised list and the wire page come from here. */
export const EVENTS = {
  "connect.challenge": {
    summary: "First frame of every connection: the nonce that a device signs.",
    overflow: "disconnect",
    sequenced: false,
  },
  agent: {
    summary:
      "A run's steps: lifecycle and text. `text` is all text so far and the truth; `delta` is what the run said since its step before. Where a client is behind, a newer text takes the place of an older one.",
    audience: READERS,
    overflow: "disconnect",
    sequenced: true,
  },
  chat: {
    summary: "A run as a chat shows it: delta, final, aborted, error.",
    audience: READERS,
    overflow: "disconnect",
    sequenced: true,
  },
  presence: {
    summary: "Who is connected; at most one a second.",
    audience: READERS,
    overflow: "coalesce",
    sequenced: true,
  },
  tick: {
    summary: "Sign of life, every `policy.tickIntervalMs`.",
    overflow: "drop",
    sequenced: true,
  },
  shutdown: { summary: "The gateway stops.", overflow: "disconnect", sequenced: true },
  health: {
    summary: "A fresh health summary; at most one a second.",
    audience: READERS,
    overflow: "coalesce",
    sequenced: true,
  },
  heartbeat: {
    summary: "Outcome of an agent's heartbeat.",
    audience: READERS,
    overflow: "coalesce",
    sequenced: true,
  },
  "device.pair.requested": {
    summary: "A device asks to be paired.",
    audience: PAIRING,
    overflow: "disconnect",
    sequenced: true,
  },
  "device.pair.resolved": {
    summary: "A pairing request was decided.",
    audience: PAIRING,
    overflow: "disconnect",
    sequenced: true,
  },
} as const satisfies Readonly<Record<string, EventDefinition>>;

/** The name of an event of this wire. */
export type EventName = keyof typeof EVENTS;

/** A domain event as this wire shows it: frames in order, and who may have each. */
export type Rendering = readonly RenderedEvent[];

/** One frame of a rendering. */
export interface RenderedEvent {
  readonly frame: EventFrame;
  readonly audience?: Access;
}

/** Whether a party may be shown a rendered event. */
export function mayReceive(
  rendered: RenderedEvent,
  party: Pick<Principal, "role" | "scopes">,
): boolean {
  return rendered.audience === undefined || permits(rendered.audience, party);
}

/** The frames of a domain event; none when this wire does not show it. Rendered once per event. */
export function createRenderer(): (event: DomainEvent) => Rendering {
  const rendered = new WeakMap<DomainEvent, Rendering>();
  return (event) => {
    let rendering = rendered.get(event);
    if (rendering === undefined) rendered.set(event, rendering = render(event));
    return rendering;
  };
}

/** Makes the frame of an event from its payload. */
export function eventFrame(
  name: EventName,
  payload: unknown,
  stateVersion?: StateVersions,
): EventFrame {
  const { overflow, sequenced } = EVENTS[name];
  return {
    kind: "event",
    event: name,
    opening: eventOpening(name, payload),
    stateVersion,
    overflow,
    sequenced,
    key: name,
  };
}

function render(event: DomainEvent): Rendering {
  switch (event.type) {
    case "run":
      return renderRun(event);
    case "session.message":
      return [rendering("chat", injected(event))];
    case "presence":
      return [rendering("presence", { presence: event.presence }, event.versions)];
    case "health":
      return [rendering("health", event.health, event.versions)];
    case "heartbeat":
      return [rendering("heartbeat", event.report)];
    case "tick":
      return [rendering("tick", { ts: event.at })];
    case "shutdown":
      return [rendering("shutdown", {
        reason: event.reason,
        restartExpectedMs: event.restartExpectedMs,
      })];
    case "device.requested":
      return [rendering("device.pair.requested", event.request)];
    case "device.resolved": {
      const { requestId, deviceId, decision, at } = event;
      return [rendering("device.pair.resolved", { requestId, deviceId, decision, ts: at })];
    }
    case "lifecycle":
    case "access.revoked":
    case "secret.changed":
      return [];
  }
}

function rendering(name: EventName, payload: unknown, versions?: StateVersions): RenderedEvent {
  const definition: EventDefinition = EVENTS[name];
  return { frame: eventFrame(name, payload, versions), audience: definition.audience };
}

/** The agent event always comes before the chat event of the same step, under the same sequence. */
function renderRun(event: RunEvent): Rendering {
  const { step } = event;
  switch (step.kind) {
    case "start":
      return [agent(event, "lifecycle", { phase: "start", startedAt: event.at })];
    case "text": {
      const said = agent(event, "assistant", { text: step.text, delta: step.delta });
      const text = superseding(said, `agent ${event.runId}`);
      if (!step.partial) return [text];
      const message = assistantMessage(step.text, event.at);
      return [text, superseding(chat(event, { state: "delta", message }), `chat ${event.runId}`)];
    }
    case "end":
      return [
        agent(event, "lifecycle", { phase: "end", endedAt: event.at }),
        chat(event, {
          state: "final",
          message: step.text === "" ? undefined : assistantMessage(step.text, event.at),
          usage: step.usage && toWireUsage(step.usage),
          stopReason: step.stopReason,
        }),
      ];
    case "aborted":
      return [chat(event, {
        state: "aborted",
        message: step.text === "" ? undefined : assistantMessage(step.text, event.at),
        stopReason: step.stopReason,
      })];
    case "failed":
      return [
        agent(event, "lifecycle", { phase: "error", error: step.message, endedAt: event.at }),
        chat(event, { state: "error", errorMessage: step.message }),
      ];
  }
}

function agent(event: RunEvent, stream: string, data: Record<string, unknown>): RenderedEvent {
  const { runId, requestedKey: sessionKey, sequence: seq, at: ts } = event;
  return rendering("agent", { runId, seq, stream, ts, data, sessionKey });
}

function chat(event: RunEvent, rest: Record<string, unknown>): RenderedEvent {
  const { runId, requestedKey: sessionKey, sequence: seq } = event;
  return rendering("chat", { runId, sessionKey, seq, ...rest });
}

/** A frame with all text so far: a later one of the same key makes an earlier one superfluous. */
function superseding({ frame, audience }: RenderedEvent, key: string): RenderedEvent {
  return { frame: { ...frame, overflow: "coalesce", key }, audience };
}

function injected(event: SessionMessageEvent): Record<string, unknown> {
  const { runId, requestedKey: sessionKey, sequence: seq, text, at } = event;
  const message = { ...assistantMessage(text, at), stopReason: "injected", usage: NO_USAGE };
  return { runId, sessionKey, seq, state: "final", message };
}

function assistantMessage(text: string, timestamp: number): WireMessage {
  return { role: "assistant", content: [{ type: "text", text }], timestamp };
}

const NO_USAGE = toWireUsage({ input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 });
