/** Says that sources are locked out, so that an operator hears of guessing without a line for each guess. */

import { ExpiringMap } from "./expiring_map.ts";
import { RateLimiter } from "./rate.ts";

/** A source that was told is not told again for so long, in milliseconds: a pause of a second has no end of locks. */
const QUIET_MS = 5 * 60_000;

/** Most locks told in a minute, as a guesser may own many addresses; what is left out is counted in the next one. */
export const MAX_LOCKS_TOLD = 10;

/** Sources told of that are remembered. */
const MAX_TOLD = 1_000;

/** What is told of a lock: who is locked out, and for how long; never what they showed. */
export type LockFacts = Readonly<Record<string, string | number | undefined>>;

/** Tells of locks: of each source once in {@linkcode QUIET_MS}, of all no more than {@linkcode MAX_LOCKS_TOLD} a minute. */
export class LockNotice {
  readonly #tell: (facts: LockFacts) => void;
  readonly #told: ExpiringMap<string, true>;
  readonly #rate: RateLimiter;
  #untold = 0;

  constructor({ now, tell }: {
    /** Milliseconds. */
    readonly now: () => number;
    /** Given the facts, with `othersLockedOut` where other locks were left out before it. */
    readonly tell: (facts: LockFacts) => void;
  }) {
    this.#tell = tell;
    this.#told = new ExpiringMap({ now, ttlMs: QUIET_MS, capacity: MAX_TOLD });
    this.#rate = new RateLimiter(now);
  }

  /** Hears of a failure after which `source` is locked for so long; 0: it is not. */
  failed(
    source: string,
    { lockMs, facts }: { readonly lockMs: number; readonly facts: LockFacts },
  ): void {
    if (lockMs <= 0 || this.#told.get(source) !== undefined) return;
    if (this.#rate.take("", MAX_LOCKS_TOLD) > 0) {
      this.#untold++;
      return;
    }
    this.#told.set(source, true);
    const others = this.#untold === 0 ? {} : { othersLockedOut: this.#untold };
    this.#untold = 0;
    this.#tell({ ...facts, seconds: Math.ceil(lockMs / 1_000), ...others });
  }
}
