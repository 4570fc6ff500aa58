/** What a person may say on any command line. */

import type { ServeFlags as ListenFlags } from "../config.ts";

/** The flags that every command takes. Absent: look further (environment, settings, state folder). */
export interface Flags {
  readonly url?: string;
  readonly token?: string;
  readonly password?: string;
  /** How long to wait for the gateway, in milliseconds. */
  readonly timeout?: number;
  readonly json?: boolean;
  readonly stateDir?: string;
  readonly config?: string;
}

/** What `serve` takes: where to listen and what to start from, as typed. */
export type ServeFlags = Flags & ListenFlags;
