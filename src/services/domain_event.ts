/** What happens in the domain, in domain terms; each wire renders what its clients may see. */

import type { Branded, ConnectionId, DeviceId, SessionKey } from "../core/id.ts";
import type { ModelUsage } from "../ports/model.ts";
import type { HealthSummary } from "./health_summary.ts";
import type { HeartbeatReport } from "./heartbeat_report.ts";
import type { PairingDecision, PendingDevice } from "./device_record.ts";
import type { PresenceEntry } from "./presence_entry.ts";

/** A run's name: the idempotency key of the request that started it, else made by the gateway. */
export type RunId = Branded<"run">;

/** One step of a run, in the order of its `sequence`. */
export interface RunEvent {
  readonly type: "run";
  readonly runId: RunId;
  readonly sessionKey: SessionKey;
  /** The session key as the client that started the run wrote it, trimmed; its events echo it. */
  readonly requestedKey: string;
  /** 1 for the first step of the run. */
  readonly sequence: number;
  readonly at: number;
  readonly step: RunStep;
}

/**
 * What a run can do next. `start` comes first, one of the last three comes last; a run that is aborted
 * before its turn has `aborted` alone.
 */
export type RunStep =
  | { readonly kind: "start" }
  /**
   * `text` is all text so far, no longer than a session keeps; `delta` what was said since the step
   * before, which is one part or, of a long text, many. `partial`: a slow display should show it.
   */
  | {
    readonly kind: "text";
    readonly delta: string;
    readonly text: string;
    readonly partial: boolean;
  }
  | {
    readonly kind: "end";
    readonly text: string;
    readonly stopReason: string;
    readonly usage?: ModelUsage;
  }
  | { readonly kind: "aborted"; readonly text: string; readonly stopReason: AbortReason }
  | { readonly kind: "failed"; readonly message: string };

/** Why a run was aborted: by a method call, a stop command in the chat, its time limit, or the gateway's end. */
export type AbortReason = "rpc" | "stop" | "timeout" | "shutdown";

/** A message that was put into a session without a run: an injected note, a command's answer. */
export interface SessionMessageEvent {
  readonly type: "session.message";
  readonly runId: string;
  readonly sessionKey: SessionKey;
  readonly requestedKey: string;
  readonly sequence: number;
  readonly at: number;
  readonly text: string;
}

/** Where a gateway is. `starting`: it answers, and loads what it needs; `failed`: that could not be loaded. */
export interface Life {
  readonly state: "starting" | "running" | "restarting" | "failed" | "stopped";
  /** Of a failure and of an end. */
  readonly reason?: string;
}

/** Something that all or some connections may want to know. */
export type DomainEvent =
  | RunEvent
  | SessionMessageEvent
  | {
    readonly type: "presence";
    readonly presence: readonly PresenceEntry[];
    readonly versions: StateVersions;
  }
  | { readonly type: "health"; readonly health: HealthSummary; readonly versions: StateVersions }
  | { readonly type: "heartbeat"; readonly report: HeartbeatReport }
  | { readonly type: "tick"; readonly at: number }
  /** The gateway runs, or could not be started; `shutdown` tells of its end. */
  | { readonly type: "lifecycle"; readonly life: Life }
  | {
    readonly type: "shutdown";
    readonly reason: string;
    readonly restartExpectedMs: number | null;
  }
  | { readonly type: "device.requested"; readonly request: PendingDevice }
  | {
    readonly type: "device.resolved";
    readonly requestId: string;
    readonly deviceId: DeviceId;
    readonly decision: PairingDecision;
    readonly at: number;
  }
  /** A device lost a token (role given) or all of them: its connections must end. */
  | {
    readonly type: "access.revoked";
    readonly deviceId: DeviceId;
    readonly role?: string;
  }
  /** The shared token or password changed: connections that used the old one must end. */
  | { readonly type: "secret.changed" };

/** Counters by which a client can tell whether its picture is older than another's. */
export interface StateVersions {
  readonly presence: number;
  readonly health: number;
}

/** Where an event goes: to everyone of the tenant, or to one connection. */
export interface EventTarget {
  readonly connection?: ConnectionId;
}
