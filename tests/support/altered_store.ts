/** A store of which a test replaces some methods. */

import type { Store } from "../../src/ports/store.ts";

/** The store with the methods of `own` in the place of its own. */
export function alteredStore(store: Store, own: Partial<Store>): Store {
  return {
    get: (key) => store.get(key),
    stamp: (key) => store.stamp(key),
    list: (query) => store.list(query),
    count: (query) => store.count(query),
    read: (stream, range) => store.read(stream, range),
    length: (stream) => store.length(stream),
    commit: (writes) => store.commit(writes),
    close: () => store.close(),
    ...own,
  };
}
