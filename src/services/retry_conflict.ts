/** Optimistic writing: read, decide, commit with expected revisions, begin again when another was faster. */

import { type Store, StoreConflict, type StoreWrite } from "../ports/store.ts";
import { MAX_UPDATE_ATTEMPTS } from "./collection.ts";

/** Does the work again when another writer changed a record in between; gives up after MAX_UPDATE_ATTEMPTS. */
export async function retryConflict<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreConflict) || attempt >= MAX_UPDATE_ATTEMPTS) throw error;
    }
  }
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
