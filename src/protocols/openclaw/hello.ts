/** The answer to a successful `connect`. */

import { permits } from "../../core/access.ts";
import type { StateVersions } from "../../services/domain_event.ts";
import type { HealthSummary } from "../../services/health.ts";
import type { PresenceEntry } from "../../services/presence.ts";
import type { Admission } from "./admission.ts";
import { EVENTS } from "./events.ts";
import { PROTOCOL_VERSION } from "./machine.ts";
import type { ResumeAnswer } from "./resume.ts";

/** Largest message of a connected client, in bytes. Source: the reference gateway. */
export const MAX_PAYLOAD_BYTES = 524_288;

/** How much may wait for a slow client before it is disconnected, in bytes. Source: the reference gateway. */
export const MAX_BUFFERED_BYTES = 1_572_864;

/** What the gateway says of itself. */
export interface ServerIdentity {
  /** CalVer, `YYYY.M.D`: clients refuse what looks older than they know. */
  readonly version: string;
  readonly host: string;
  /** Shown to callers that may administer the gateway. */
  readonly configPath: string;
  readonly stateDir: string;
}

/** What changes between one hello and the next. */
export interface HelloFacts {
  readonly admission: Admission;
  readonly server: ServerIdentity;
  readonly methods: readonly string[];
  readonly presence: readonly PresenceEntry[];
  readonly health: HealthSummary | undefined;
  readonly versions: StateVersions;
  readonly uptimeMs: number;
  readonly tickIntervalMs: number;
  readonly sessionDefaults: {
    readonly defaultAgentId: string;
    readonly mainKey: string;
    readonly mainSessionKey: string;
    readonly scope: string;
  };
  readonly resume: ResumeAnswer | undefined;
}

/**
 * The document's HelloOk; `resume` is an addition, present when the client asked for it. Presence and
 * health are empty for who does not receive their events.
 */
export function helloOk(facts: HelloFacts): Record<string, unknown> {
  const { admission, server } = facts;
  const shown = (event: "presence" | "health") =>
    permits(EVENTS[event].audience, admission.principal);
  const admin = permits({ role: "operator", scope: "operator.admin" }, admission.principal);
  return {
    type: "hello-ok",
    protocol: PROTOCOL_VERSION,
    server: {
      version: server.version,
      host: server.host,
      connId: admission.principal.connection,
    },
    features: { methods: facts.methods, events: Object.keys(EVENTS) },
    snapshot: {
      presence: shown("presence") ? facts.presence : [],
      health: shown("health") ? facts.health ?? {} : {},
      stateVersion: facts.versions,
      uptimeMs: facts.uptimeMs,
      configPath: admin ? server.configPath : undefined,
      stateDir: admin ? server.stateDir : undefined,
      sessionDefaults: facts.sessionDefaults,
    },
    auth: admission.auth,
    policy: {
      maxPayload: MAX_PAYLOAD_BYTES,
      maxBufferedBytes: MAX_BUFFERED_BYTES,
      tickIntervalMs: facts.tickIntervalMs,
    },
    resume: facts.resume,
  };
}
