/** The registry of devices in memory, and what devices ask of it. */

import assert from "node:assert/strict";
import { createMemoryStore } from "../../src/adapters/memory_store.ts";
import { type Role, type Scope, SCOPES } from "../../src/core/access.ts";
import { checked, DEFAULT_TENANT, type DeviceId, isDeviceId } from "../../src/core/id.ts";
import type { Store } from "../../src/ports/store.ts";
import { type DeviceAsk, Devices, type Enrolment } from "../../src/services/devices.ts";
import type { DomainEvent } from "../../src/services/domain_event.ts";
import { Hub } from "../../src/services/hub.ts";
import { CountingRandom } from "./counting_random.ts";
import { ManualClock } from "./manual_clock.ts";

/** The keyring of the registry. */
export const KEYRING = { secret: "0123456789abcdef0123456789abcdef" };
/** An approver on this host may grant everything. */
export const HOST: { readonly scopes: readonly string[] } = { scopes: SCOPES };

/** One that may decide of pairings and nothing else. */
export const PAIRING_ONLY: { readonly scopes: readonly string[] } = {
  scopes: ["operator.pairing"],
};

/** The first device, as an operator. */
export const OPERATOR_1: { readonly deviceId: DeviceId; readonly role: Role } = {
  deviceId: deviceId(1),
  role: "operator",
};

/** The registry and what it stands on. */
export interface DeviceStage {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly random: CountingRandom;
  readonly hub: Hub;
  readonly events: DomainEvent[];
  readonly devices: Devices;
}

/** A gateway's registry on a store that another process may share. */
export function registry(
  shared: { store?: Store; clock?: ManualClock; random?: CountingRandom } = {},
): DeviceStage {
  const store = shared.store ?? createMemoryStore();
  const clock = shared.clock ?? new ManualClock();
  const random = shared.random ?? new CountingRandom();
  const hub = new Hub();
  const events: DomainEvent[] = [];
  hub.observe((_tenant, event) => events.push(event));
  const devices = new Devices({ store, clock, random, hub, keyring: KEYRING });
  return { store, clock, random, hub, events, devices };
}

/** The id of the device of that number. */
export function deviceId(n: number): DeviceId {
  return checked(n.toString(16).padStart(64, "0"), isDeviceId);
}

/** What a device asks for; the first one wants to read, unless told otherwise. */
export function ask(
  change: { n?: number; role?: Role; scopes?: readonly Scope[] } = {},
): DeviceAsk {
  const { n = 1, role = "operator", scopes = ["operator.read"] } = change;
  return {
    deviceId: deviceId(n),
    publicKey: `key-${n}`,
    role,
    scopes,
    about: { platform: "linux" },
  };
}

/** The token of a device that got in. */
export function tokenOf(
  enrolment: Enrolment,
): Extract<Enrolment, { status: "paired" }>["token"] {
  assert.equal(enrolment.status, "paired");
  assert.ok(enrolment.status === "paired");
  return enrolment.token;
}

/** The request of a device that waits. */
export function requestOf(
  enrolment: Enrolment,
): Extract<Enrolment, { status: "pending" }>["request"] {
  assert.ok(enrolment.status === "pending");
  return enrolment.request;
}

/** The names of events. */
export function types(events: readonly DomainEvent[]): readonly string[] {
  return events.map((event) => event.type);
}

/** Whose devices they are, in these tests. */
export const tenant = DEFAULT_TENANT;

/** How a device on this host gets in: at once. */
export const silently = { silent: true };

/** How one from afar does: it waits for approval. */
export const remotely = { silent: false };
