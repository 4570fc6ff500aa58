/**
 * Tells a client that comes back what it missed. The client names its former connection and the last
 * sequence number that it saw there; the answer counts what it did not see and names the sessions
 * concerned, whose history it can then read again.
 */

import type { Access, Principal } from "../../core/access.ts";
import { permits } from "../../core/access.ts";
import { ExpiringMap } from "../../core/expiring_map.ts";
import type { ConnectionId, TenantId } from "../../core/id.ts";
import { Ring } from "../../core/ring.ts";
import type { DomainEvent } from "../../services/domain_event.ts";
import type { Rendering } from "./events.ts";

/** Broadcast events remembered; about a quarter of an hour of a busy household's chat. */
export const JOURNAL_EVENTS = 8_192;

/** How long a closed connection can be resumed from, in milliseconds. */
export const RESUME_WINDOW_MS = 15 * 60_000;

/** Closed connections remembered; the one that closed longest ago gives way. */
export const MAX_CLOSED_CONNECTIONS = 4_096;

/** What a client says of its former connection. */
export interface ResumeRequest {
  readonly connId: string;
  readonly seq: number;
}

/** What it is told. `unknown`: too long ago, another identity, or another gateway; read everything again. */
export type ResumeAnswer =
  | {
    readonly status: "known";
    /** Frames not seen; an upper bound, as a frame that was left out for a slow client counts too. */
    readonly missed: number;
    /** Canonical keys of the sessions that something happened in. */
    readonly sessions: readonly string[];
  }
  | { readonly status: "unknown" };

interface Entry {
  readonly tenant: TenantId;
  readonly sessionKey?: string;
  /** For each frame: who may have it, and whether it is certain to have been numbered. */
  readonly frames: readonly { readonly audience?: Access; readonly certain: boolean }[];
}

interface Departure {
  readonly tenant: TenantId;
  readonly subject: string;
  readonly sequence: number;
  readonly offset: number;
}

/** Remembers broadcasts and departures, both bounded. */
export class ResumeJournal {
  readonly #entries = new Ring<Entry>(JOURNAL_EVENTS);
  readonly #departures: ExpiringMap<string, Departure>;

  constructor(now: () => number) {
    this.#departures = new ExpiringMap({
      now,
      ttlMs: RESUME_WINDOW_MS,
      capacity: MAX_CLOSED_CONNECTIONS,
    });
  }

  /** Somebody may come back. */
  get awaits(): boolean {
    return this.#departures.size > 0;
  }

  /** Notes an event that goes to all connections of the tenant. */
  record(tenant: TenantId, event: DomainEvent, rendering: Rendering): void {
    if (rendering.length === 0) return;
    this.#entries.push({
      tenant,
      sessionKey: "sessionKey" in event ? event.sessionKey : undefined,
      frames: rendering.map(({ audience, frame }) => ({
        audience,
        certain: frame.overflow === "disconnect" || frame.overflow === "hold",
      })),
    });
  }

  /** Notes that a connection ended, and the last sequence number that it was given. */
  depart(connection: ConnectionId, principal: Principal, sequence: number): void {
    const { tenant, subject } = principal;
    this.#departures.set(connection, { tenant, subject, sequence, offset: this.#entries.end });
  }

  /** What `principal` missed since the frame that it names. */
  missed(principal: Principal, request: ResumeRequest): ResumeAnswer {
    const departure = this.#departures.get(request.connId);
    if (
      departure === undefined || departure.tenant !== principal.tenant ||
      departure.subject !== principal.subject || request.seq > departure.sequence
    ) return { status: "unknown" };
    const start = this.#rewind(principal, departure.offset, departure.sequence - request.seq);
    if (start === undefined) return { status: "unknown" };
    let missed = 0;
    const sessions = new Set<string>();
    for (let offset = start; offset < this.#entries.end; offset++) {
      const entry = this.#entries.at(offset);
      if (entry === undefined || entry.tenant !== principal.tenant) continue;
      const own = entry.frames.filter(({ audience }) => visible(audience, principal)).length;
      if (own === 0) continue;
      missed += own;
      if (entry.sessionKey !== undefined) sessions.add(entry.sessionKey);
    }
    return { status: "known", missed, sessions: [...sessions] };
  }

  /** Walks back until `frames` frames are covered. Only those certain to be numbered count, so it never stops short. */
  #rewind(principal: Principal, from: number, frames: number): number | undefined {
    let offset = from;
    for (let left = frames; left > 0; offset--) {
      if (offset <= this.#entries.start) return this.#entries.start === 0 ? 0 : undefined;
      const entry = this.#entries.at(offset - 1);
      if (entry === undefined || entry.tenant !== principal.tenant) continue;
      left -= entry.frames.filter(({ audience, certain }) =>
        certain && visible(audience, principal)
      ).length;
    }
    return offset < this.#entries.start ? undefined : offset;
  }
}

function visible(audience: Access | undefined, principal: Principal): boolean {
  return audience === undefined || permits(audience, principal);
}
