/** A typed view of one kind of records: what is read is parsed once, here, and trusted afterwards. */

import * as v from "valibot";
import type { TenantId } from "../core/id.ts";
import {
  type Json,
  type RecordQuery,
  type Store,
  StoreConflict,
  type StoredRecord,
  type StoreWrite,
} from "../ports/store.ts";

/** A record with its value in domain terms. */
export interface Item<T> {
  readonly id: string;
  readonly revision: number;
  readonly value: T;
}

/** How often {@linkcode Collection.update} tries again when another writer was faster. */
export const MAX_UPDATE_ATTEMPTS = 8;

/** How a collection stores its values. */
export interface CollectionOptions<T> {
  readonly kind: string;
  /** Parses a stored value; what does not fit makes the record invisible rather than the gateway fail. */
  readonly schema: v.GenericSchema<unknown, T>;
  /** The value as JSON. */
  readonly toJson: (value: T) => Json;
  /** By what lists are sorted. */
  readonly order: (value: T) => number;
  readonly tag?: (value: T) => string | undefined;
}

/** Records of one kind. */
export class Collection<T> {
  readonly #store: Store;
  readonly #options: CollectionOptions<T>;

  constructor(store: Store, options: CollectionOptions<T>) {
    this.#store = store;
    this.#options = options;
  }

  async get(tenant: TenantId, id: string): Promise<Item<T> | undefined> {
    const record = await this.#store.get({ tenant, kind: this.#options.kind, id });
    return record === undefined ? undefined : this.#parse(record);
  }

  async list(
    tenant: TenantId,
    query: Omit<RecordQuery, "tenant" | "kind"> = {},
  ): Promise<readonly Item<T>[]> {
    const records = await this.#store.list({ ...query, tenant, kind: this.#options.kind });
    return records.map((record) => this.#parse(record)).filter((item) => item !== undefined);
  }

  count(tenant: TenantId, query: { tag?: string; idPrefix?: string } = {}): Promise<number> {
    return this.#store.count({ ...query, tenant, kind: this.#options.kind });
  }

  /** The write that stores a value, for a commit that holds more than this record. */
  put(tenant: TenantId, id: string, value: T, expect?: number): StoreWrite {
    const { kind, toJson, order, tag } = this.#options;
    return {
      op: "put",
      key: { tenant, kind, id },
      order: order(value),
      tag: tag?.(value),
      value: toJson(value),
      expect,
    };
  }

  /** The write that removes a record. */
  remove(tenant: TenantId, id: string, expect?: number): StoreWrite {
    return { op: "remove", key: { tenant, kind: this.#options.kind, id }, expect };
  }

  /**
   * Changes one record by compare-and-set, with other writes in the same commit: `change` is given
   * what is stored and returns the new value with those writes, or undefined to change nothing. It
   * runs again when another writer was faster, so it must have no effects of its own.
   */
  async update(
    tenant: TenantId,
    id: string,
    change: (current: T | undefined) => Change<T> | undefined,
  ): Promise<T | undefined> {
    for (let attempt = 1;; attempt++) {
      const item = await this.get(tenant, id);
      const changed = change(item?.value);
      if (changed === undefined) return item?.value;
      const own = this.put(tenant, id, changed.value, item?.revision ?? 0);
      try {
        await this.#store.commit([own, ...(changed.alongside ?? [])]);
        return changed.value;
      } catch (error) {
        if (!(error instanceof StoreConflict) || attempt >= MAX_UPDATE_ATTEMPTS) throw error;
      }
    }
  }

  #parse(record: StoredRecord): Item<T> | undefined {
    const parsed = v.safeParse(this.#options.schema, record.value);
    if (!parsed.success) return undefined;
    return { id: record.id, revision: record.revision, value: parsed.output };
  }
}

/** The outcome of a change: the new value, and what is written with it or not at all. */
export interface Change<T> {
  readonly value: T;
  readonly alongside?: readonly StoreWrite[];
}
