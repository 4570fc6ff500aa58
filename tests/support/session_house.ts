/** Sessions on a memory store, for tests. */

import assert from "node:assert/strict";
import { createMemoryStore } from "../../src/adapters/memory_store.ts";
import { GatewayError } from "../../src/core/error.ts";
import {
  checked,
  DEFAULT_TENANT,
  isAgentId,
  isSessionKey,
  type SessionKey,
} from "../../src/core/id.ts";
import type { Store } from "../../src/ports/store.ts";
import type { NewMessage } from "../../src/services/session_entry.ts";
import { type SessionOptions, Sessions } from "../../src/services/sessions.ts";
import { CountingRandom } from "./counting_random.ts";
import { ManualClock } from "./manual_clock.ts";

/** The tenant of the tests. */
export const tenant = DEFAULT_TENANT;
/** The main session. */
export const main = checked("agent:main:main", isSessionKey);
/** Another session. */
export const other = checked("agent:main:other", isSessionKey);

/** A gateway's sessions and what they are made of. */
export interface House {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly sessions: Sessions;
  /** Another gateway process on the same store. */
  readonly neighbour: Sessions;
}

/** Sessions of the agents `main` and `work`; the main session is called `main`. */
export function house(options: Partial<SessionOptions> = {}, store = createMemoryStore()): House {
  const clock = new ManualClock();
  const random = new CountingRandom();
  const agents = {
    defaultId: checked("main", isAgentId),
    has: (id: string) => id === "main" || id === "work",
  };
  const read = (): SessionOptions => ({ mainKey: "main", scope: "per-sender", ...options });
  const parts = { store, clock, random, agents, options: read };
  return { store, clock, sessions: new Sessions(parts), neighbour: new Sessions(parts) };
}

/** A message that was just said. */
export function said(text: string, role: NewMessage["role"] = "user"): NewMessage {
  return { role, text, at: 1 };
}

/** What was said in a session, oldest first. */
export async function texts(sessions: Sessions, key: SessionKey): Promise<string[]> {
  const { messages } = await sessions.history(tenant, key, { limit: 1_000 });
  return messages.map(({ text }) => text);
}

/** Checks that an error is an `INVALID_REQUEST` with exactly this message. */
export function refusal(message: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.code, "INVALID_REQUEST");
    assert.equal(error.message, message);
    return true;
  };
}
