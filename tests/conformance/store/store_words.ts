/** What the tests of the store's suites write and read. */

import type {
  Expected,
  Json,
  RecordKey,
  Store,
  StoreWrite,
  StreamKey,
} from "../../../src/ports/store.ts";

/** An empty store for one test; disposing closes it and removes what it left. */
export interface OpenedStore extends AsyncDisposable {
  readonly store: Store;
}

/** Registers one test of a suite. */
export type StoreTest = (name: string, run: (store: Store) => Promise<void>) => void;

/** The key of a session's record. */
export function session(id: string, tenant = "acme"): RecordKey {
  return { tenant, kind: "session", id };
}

/** The key of a transcript. */
export function transcript(id: string, tenant = "acme"): StreamKey {
  return { tenant, kind: "transcript", id };
}

/** A write of a session's record. */
export function put(
  id: string,
  rest: { order?: number; tag?: string; value?: Json; expect?: Expected; tenant?: string } = {},
): StoreWrite {
  const { order = 0, value = null, tenant, ...others } = rest;
  return { op: "put", key: session(id, tenant), order, value, ...others };
}

/** A write that goes to the end of a transcript. */
export function append(id: string, value: Json, tenant?: string): StoreWrite {
  return { op: "append", stream: transcript(id, tenant), value };
}

/** The entries of a transcript with their sequences. */
export async function entries(store: Store, id: string): Promise<[number, Json][]> {
  const found = await store.read(transcript(id), { limit: 1_000 });
  return found.map(({ sequence, value }) => [sequence, value]);
}
