/** Carries domain events from the services to the connections. */

import type { ConnectionId, TenantId } from "../core/id.ts";
import type { Cancel } from "../ports/clock.ts";
import type { DomainEvent, EventTarget } from "./domain_event.ts";

/** Receives events, in the order of their publication; must not throw. */
export type Listener = (event: DomainEvent) => void;

/** Publishes and subscribes, per tenant. Delivery is immediate and in order. */
export class Hub {
  readonly #tenants = new Map<TenantId, Map<ConnectionId, Listener>>();
  readonly #observers = new Set<(tenant: TenantId, event: DomainEvent) => void>();

  /** Connections that listen, over all tenants. */
  get size(): number {
    let size = 0;
    for (const listeners of this.#tenants.values()) size += listeners.size;
    return size;
  }

  /** Gives an event to every connection of the tenant, or to the one that `target` names. */
  publish(tenant: TenantId, event: DomainEvent, target: EventTarget = {}): void {
    const listeners = this.#tenants.get(tenant);
    if (target.connection !== undefined) {
      listeners?.get(target.connection)?.(event);
      return;
    }
    for (const observe of this.#observers) observe(tenant, event);
    if (listeners === undefined) return;
    for (const listener of listeners.values()) listener(event);
  }

  /** Delivers the tenant's events to one connection until the returned function is called. */
  subscribe(tenant: TenantId, connection: ConnectionId, listener: Listener): Cancel {
    let listeners = this.#tenants.get(tenant);
    if (listeners === undefined) this.#tenants.set(tenant, listeners = new Map());
    listeners.set(connection, listener);
    const own = listeners;
    return () => {
      if (own.get(connection) === listener) own.delete(connection);
    };
  }

  /** Shows every event that goes to all connections of a tenant, before they get it. */
  observe(observer: (tenant: TenantId, event: DomainEvent) => void): Cancel {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }
}
