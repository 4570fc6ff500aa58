/** The operator's own service that knows who a token belongs to. */

import type { Json } from "./store.ts";

/** What the service is asked. */
export interface IdentityQuestion {
  /** Its address, as the operator named it. */
  readonly endpoint: string;
  /** Longest wait for the whole answer, in milliseconds. */
  readonly timeoutMs: number;
  /** What the client showed: its token and all that came with it. */
  readonly shown: Readonly<Record<string, string>>;
}

/**
 * Who it is, or why not: `code` is the service's own word on one line of at most 64 characters, or
 * `auth_failed`, `timeout` or `service_unavailable`; `refused` is false where the service did not decide.
 */
export type IdentityAnswer =
  | {
    readonly ok: true;
    readonly userId: string;
    readonly username?: string;
    readonly avatar?: string;
    readonly extra?: Json;
  }
  | { readonly ok: false; readonly code: string; readonly refused: boolean };

/** Asks the service; never rejects. Aborting `signal` ends the wait with `service_unavailable`. */
export interface IdentityService {
  verify(question: IdentityQuestion, signal: AbortSignal): Promise<IdentityAnswer>;
}
