/** Optimistic writing: read, decide, commit with expected revisions, begin again when another was faster. */

import { GatewayError } from "../core/error.ts";
import { type Store, StoreConflict, type StoreWrite } from "../ports/store.ts";
import { MAX_UPDATE_ATTEMPTS } from "./collection.ts";

/** When whoever lost against other writers should ask again, in milliseconds; theirs are done by then. */
const CONFLICT_RETRY_MS = 100;

/**
 * Does the work again when another writer changed a record in between. Throws a retryable `UNAVAILABLE`
 * after MAX_UPDATE_ATTEMPTS; nothing of the work was written then.
 */
export async function retryConflict<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreConflict)) throw error;
      if (attempt >= MAX_UPDATE_ATTEMPTS) throw busy();
    }
  }
}

function busy(): GatewayError {
  return new GatewayError(
    "UNAVAILABLE",
    "others change the same record at this moment, and nothing was changed here; try again",
    { retryable: true, retryAfterMs: CONFLICT_RETRY_MS },
  );
}

/** Commits one write unless another writer was faster; tells whether it was committed. */
export async function commitUnlessConflict(store: Store, write: StoreWrite): Promise<boolean> {
  try {
    await store.commit([write]);
    return true;
  } catch (error) {
    if (error instanceof StoreConflict) return false;
    throw error;
  }
}
