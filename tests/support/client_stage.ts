/** What the tests of the gateway's client share: how it failed, and timers on a manual clock. */

import assert from "node:assert/strict";
import { ConnectionFailed } from "../../src/client/client_error.ts";
import type { After } from "../../src/client/open_socket.ts";
import type { ManualClock } from "./manual_clock.ts";

/** Timers that run when the clock says so. */
export function afterOn(clock: ManualClock): After {
  return (ms, task) => clock.after(ms, task);
}

/** How connecting or a call failed; fails where it did not. */
export async function failureOf(work: Promise<unknown>): Promise<ConnectionFailed> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof ConnectionFailed, `expected a ConnectionFailed, got ${error}`);
  return error;
}
