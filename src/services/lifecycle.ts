/** Where the gateway is in its life, and the events that tell of it. */

import type { TenantId } from "../core/id.ts";
import type { Life } from "./domain_event.ts";
import type { Hub } from "./hub.ts";

/** What the lifecycle tells through, and whom. */
export interface LifecycleParts {
  readonly hub: Pick<Hub, "publish">;
  readonly tenants: () => readonly TenantId[];
}

/** The life of one gateway: `starting`, then `running` or `failed`, then `stopped` or `restarting`. */
export class Lifecycle {
  readonly #parts: LifecycleParts;
  #life: Life = { state: "starting" };
  #leaving = false;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
  }

  /** Where it is; for who comes too late for the event. */
  get current(): Life {
    return this.#life;
  }

  /** Whether everything is loaded and no end has begun. */
  get ready(): boolean {
    return this.#life.state === "running" && !this.#leaving;
  }

  /** Everything is loaded. */
  started(): void {
    this.#tell({ state: "running" });
  }

  /** Something could not be loaded; clients are told the reason. */
  failed(reason: string): void {
    this.#tell({ state: "failed", reason });
  }

  /** The end begins: it is not ready any more, and still answers. */
  leave(): void {
    this.#leaving = true;
  }

  /** Tells every client of the end; `restartExpectedMs`: when it is there again, null for not. */
  ended(reason: string, restartExpectedMs: number | null): void {
    this.#life = { state: restartExpectedMs === null ? "stopped" : "restarting", reason };
    for (const tenant of this.#parts.tenants()) {
      this.#parts.hub.publish(tenant, { type: "shutdown", reason, restartExpectedMs });
    }
  }

  #tell(life: Life): void {
    this.#life = life;
    for (const tenant of this.#parts.tenants()) {
      this.#parts.hub.publish(tenant, { type: "lifecycle", life });
    }
  }
}
