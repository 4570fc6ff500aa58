/** What happens at fixed intervals whether anything changed or not: signs of life and fresh health. */

import type { TenantId } from "../core/id.ts";
import type { Cancel, Clock } from "../ports/clock.ts";
import type { HealthMonitor } from "./health.ts";
import type { Hub } from "./hub.ts";

/** Time between two `tick` events, in milliseconds; clients give up after two missed ones. */
export const TICK_INTERVAL_MS = 30_000;

/** Time between two health broadcasts of a quiet gateway, in milliseconds. Source: the reference gateway. */
export const HEALTH_BEAT_INTERVAL_MS = 60_000;

/** What ticks. */
export interface TickerParts {
  readonly clock: Clock;
  readonly hub: Hub;
  readonly health: Pick<HealthMonitor, "refresh">;
  /** Who is told. */
  readonly tenants: () => readonly TenantId[];
}

/** Publishes `tick` and has health renewed, each at its interval, from {@linkcode Ticker.start} on. */
export class Ticker {
  readonly #parts: TickerParts;
  #timers: { stop: Cancel }[] = [];

  constructor(parts: TickerParts) {
    this.#parts = parts;
  }

  /** The first tick comes one interval from now; the first health summary is made at once. */
  start(): void {
    this.stop();
    const { hub, clock, health, tenants } = this.#parts;
    const refresh = (): void => tenants().forEach((tenant) => health.refresh(tenant));
    this.#timers = [
      this.#repeat(TICK_INTERVAL_MS, () => {
        for (const tenant of tenants()) hub.publish(tenant, { type: "tick", at: clock.now() });
      }),
      this.#repeat(HEALTH_BEAT_INTERVAL_MS, refresh),
    ];
    refresh();
  }

  stop(): void {
    for (const timer of this.#timers) timer.stop();
    this.#timers = [];
  }

  /** Counts from the planned time of a run, so that late timers do not add up. */
  #repeat(intervalMs: number, task: () => void): { stop: Cancel } {
    const { clock } = this.#parts;
    let due = clock.monotonic() + intervalMs;
    const timer = { stop: clock.after(intervalMs, run) };
    function run(): void {
      const now = clock.monotonic();
      due += intervalMs;
      // After a standstill of the machine, missed runs are not made up for.
      if (due <= now) due = now + intervalMs;
      timer.stop = clock.after(due - now, run);
      task();
    }
    return timer;
  }
}
