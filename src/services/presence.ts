/** Who is connected: the gateway itself, the clients, and what operators announced about others. */

import type { ConnectionId, TenantId } from "../core/id.ts";
import type { Cancel, Clock } from "../ports/clock.ts";
import type { Hub } from "./hub.ts";
import { Pacer } from "./pacer.ts";
import {
  entryOf,
  type GatewaySelf,
  identityOf,
  NOTABLE,
  type PresenceEntry,
  type PresenceNote,
  type PresentClient,
  subjectOf,
  tidy,
} from "./presence_entry.ts";
import type { VersionCounters } from "./state_versions.ts";

export type { PresenceEntry } from "./presence_entry.ts";

/** How long an entry without a connection stays, in milliseconds. Source: the reference gateway. */
export const PRESENCE_TTL_MS = 300_000;

/**
 * Most entries of a tenant besides the gateway's own; the oldest without a connection gives way first,
 * then the oldest of all. Source: the reference gateway.
 */
export const MAX_PRESENCE_ENTRIES = 200;

/** Shortest time between two broadcasts to a tenant, in milliseconds; what changes between is sent once. */
export const PRESENCE_BROADCAST_INTERVAL_MS = 1_000;

/** Connections of one entry that are told apart; an older one stands for nothing any more. */
export const MAX_CONNECTIONS_PER_ENTRY = 16;

/** Clients of these modes come and go with every command and are not shown. */
const UNTRACKED_MODES: ReadonlySet<string> = new Set(["cli"]);

/** What presence is made of. */
export interface PresenceParts {
  readonly clock: Clock;
  readonly hub: Hub;
  readonly self: GatewaySelf;
  /** Shared with the health monitor, as events carry both versions. */
  readonly versions: VersionCounters;
}

/**
 * The presence lists of all tenants. Every change raises the tenant's presence version and is broadcast
 * within {@linkcode PRESENCE_BROADCAST_INTERVAL_MS}, many changes at once.
 */
export class Presence {
  readonly #parts: PresenceParts;
  readonly #boards = new Map<TenantId, Board>();

  constructor(parts: PresenceParts) {
    this.#parts = parts;
  }

  /** A client came in. It becomes the newest of its identity: its device, else its instance, else itself. */
  connected(tenant: TenantId, client: PresentClient): void {
    if (UNTRACKED_MODES.has(client.mode.toLowerCase())) return;
    this.#board(tenant).connected(client);
  }

  /** A connection ended. Nothing changes for one that is not tracked or not the newest of its identity. */
  disconnected(tenant: TenantId, connection: ConnectionId): void {
    this.#boards.get(tenant)?.disconnected(connection);
  }

  /** Adds or refreshes the entry that a note speaks of: by device, instance, host, address, else its text. */
  note(tenant: TenantId, note: PresenceNote): void {
    this.#board(tenant).note(note);
  }

  /** The gateway first, then the entries by their last change, newest first. One array until it changes. */
  list(tenant: TenantId): readonly PresenceEntry[] {
    return this.#board(tenant).list();
  }

  /** How often the list has changed. */
  version(tenant: TenantId): number {
    return this.#parts.versions.of(tenant).presence;
  }

  /** Broadcasts nothing more and lets go of the timers. */
  stop(): void {
    for (const board of this.#boards.values()) board.stop();
  }

  #board(tenant: TenantId): Board {
    let board = this.#boards.get(tenant);
    if (board === undefined) {
      const { clock, hub, self, versions } = this.#parts;
      board = new Board({
        clock,
        self,
        changed: () => versions.raise(tenant, "presence"),
        broadcast: (presence) =>
          hub.publish(tenant, { type: "presence", presence, versions: versions.of(tenant) }),
      });
      this.#boards.set(tenant, board);
    }
    return board;
  }
}

/** An entry and what stands behind it. */
interface Standing {
  /** What the newest connection or the notes say. */
  readonly entry: PresenceEntry;
  /** Connections of this identity, oldest first. */
  readonly clients: PresentClient[];
  /** When it changed last, on the clock that never jumps. */
  readonly since: number;
}

/** The list of one tenant. Entries are in the order of their last change, oldest first. */
class Board {
  readonly #clock: Clock;
  readonly #self: GatewaySelf;
  readonly #changed: () => void;
  readonly #pacer: Pacer;
  readonly #standings = new Map<string, Standing>();
  readonly #keys = new Map<ConnectionId, string>();
  #list: readonly PresenceEntry[] | undefined;
  #expiry: Cancel | undefined;
  /** Clients that leave last are still taken off the list, but nobody is told any more. */
  #stopped = false;

  constructor(options: {
    clock: Clock;
    self: GatewaySelf;
    changed: () => void;
    broadcast: (list: readonly PresenceEntry[]) => void;
  }) {
    this.#clock = options.clock;
    this.#self = options.self;
    this.#changed = options.changed;
    this.#pacer = new Pacer({
      clock: options.clock,
      intervalMs: PRESENCE_BROADCAST_INTERVAL_MS,
      task: () => options.broadcast(this.list()),
    });
  }

  connected(client: PresentClient): void {
    const key = identityOf(client);
    const clients = this.#standings.get(key)?.clients ?? [];
    clients.push(client);
    this.#keys.set(client.connection, key);
    if (clients.length > MAX_CONNECTIONS_PER_ENTRY) {
      const oldest = clients.shift();
      if (oldest !== undefined) this.#keys.delete(oldest.connection);
    }
    const entry = entryOf(clients, { reason: "connect", ts: this.#clock.now() });
    this.#put(key, { entry, clients });
  }

  disconnected(connection: ConnectionId): void {
    const key = this.#keys.get(connection);
    const standing = key === undefined ? undefined : this.#standings.get(key);
    this.#keys.delete(connection);
    if (key === undefined || standing === undefined) return;
    const { clients, entry } = standing;
    const at = clients.findIndex((client) => client.connection === connection);
    if (at === -1) return;
    const newest = at === clients.length - 1;
    clients.splice(at, 1);
    if (!newest) return;
    const ts = this.#clock.now();
    this.#put(key, {
      entry: clients.length > 0
        ? entryOf(clients, { reason: "connect", ts })
        : Object.freeze({ ...entry, reason: "disconnect", ts }),
      clients,
    });
  }

  note(note: PresenceNote): void {
    const key = subjectOf(note);
    const standing = this.#standings.get(key);
    const said = tidy({ ...note, ts: this.#clock.now() });
    if (standing === undefined || standing.clients.length === 0) {
      this.#put(key, { entry: Object.freeze({ ...standing?.entry, ...said }), clients: [] });
      return;
    }
    const allowed = Object.fromEntries(
      NOTABLE.filter((name) => said[name] !== undefined).map((name) => [name, said[name]]),
    );
    const entry = Object.freeze({ ...standing.entry, ...allowed, ts: said.ts });
    this.#put(key, { entry, clients: standing.clients });
  }

  list(): readonly PresenceEntry[] {
    if (this.#list !== undefined) return this.#list;
    const { host, ip, version, platform } = this.#self;
    const self = tidy({
      host,
      ip,
      version,
      platform,
      mode: "gateway",
      reason: "self",
      ts: this.#clock.now(),
    });
    const entries = [...this.#standings.values()].map(({ entry }) => entry).reverse();
    return this.#list = Object.freeze([Object.freeze(self), ...entries]);
  }

  stop(): void {
    this.#stopped = true;
    this.#pacer.stop();
    this.#expiry?.();
    this.#expiry = undefined;
  }

  /** Stores an entry as the one that changed last. */
  #put(key: string, standing: Omit<Standing, "since">): void {
    this.#standings.delete(key);
    this.#standings.set(key, { ...standing, since: this.#clock.monotonic() });
    if (this.#standings.size > MAX_PRESENCE_ENTRIES) this.#evict();
    this.#announce();
  }

  #announce(): void {
    this.#list = undefined;
    this.#changed();
    if (this.#stopped) return;
    this.#armExpiry();
    this.#pacer.request();
  }

  #evict(): void {
    let victim: string | undefined;
    for (const [key, { clients }] of this.#standings) {
      victim ??= key;
      if (clients.length > 0) continue;
      victim = key;
      break;
    }
    if (victim === undefined) return;
    for (const client of this.#standings.get(victim)?.clients ?? []) {
      this.#keys.delete(client.connection);
    }
    this.#standings.delete(victim);
  }

  /** One timer, for the entry that expires next. */
  #armExpiry(): void {
    if (this.#expiry !== undefined) return;
    for (const { since, clients } of this.#standings.values()) {
      if (clients.length > 0) continue;
      const left = since + PRESENCE_TTL_MS - this.#clock.monotonic();
      this.#expiry = this.#clock.after(left, () => this.#expire());
      return;
    }
  }

  #expire(): void {
    this.#expiry = undefined;
    const outdated = this.#clock.monotonic() - PRESENCE_TTL_MS;
    const before = this.#standings.size;
    for (const [key, { since, clients }] of this.#standings) {
      if (clients.length === 0 && since <= outdated) this.#standings.delete(key);
    }
    if (this.#standings.size < before) this.#announce();
    else this.#armExpiry();
  }
}
