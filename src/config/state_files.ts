/** What the files of a state folder are called. */

import { join } from "node:path";
import { LOCK_FILE } from "../adapters/state_lock.ts";

/** The paths of a state folder's files, the settings file aside. */
export interface StatePaths {
  /** The token that the gateway made; one line. */
  readonly token: string;
  /** The key that device tokens are derived from; one line. */
  readonly deviceKey: string;
  /** Sessions, transcripts, runs and devices. */
  readonly database: string;
  /** The log where the settings name no other. */
  readonly log: string;
  /** Held by the gateway that runs in the folder. */
  readonly lock: string;
}

/** Where a state folder keeps its files; none of them need be there. */
export function statePaths(stateDir: string): StatePaths {
  return {
    token: join(stateDir, "token"),
    deviceKey: join(stateDir, "device-key"),
    database: join(stateDir, "clawgate.db"),
    log: join(stateDir, "logs", "clawgate.log"),
    lock: join(stateDir, LOCK_FILE),
  };
}
