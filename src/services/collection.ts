/** A typed view of one kind of records: what is read is parsed once, here, and trusted afterwards. */

import * as v from "valibot";
import { type TenantId, tenantKey } from "../core/id.ts";
import type { Log } from "../ports/log.ts";
import {
  type Expected,
  type RecordQuery,
  type Store,
  StoreConflict,
  type StoredRecord,
  type StoreWrite,
  type WritableJson,
} from "../ports/store.ts";

/** A record with its value in domain terms. */
export interface Item<T> {
  readonly id: string;
  readonly revision: number;
  readonly value: T;
}

/** What is under an id now. */
export interface Current<T> {
  /** 0: there is no record. */
  readonly revision: number;
  /** Absent as well for a record whose value does not fit the schema. */
  readonly value?: T;
  /** The tag of the record. */
  readonly tag?: string;
}

/** Some records that were asked for. */
export interface Page<T> {
  /** Those that can be read. */
  readonly items: readonly Item<T>[];
  /** The place of the last record, read or not, after which the next page begins; absent: no record. */
  readonly last?: { readonly order: number; readonly id: string };
}

/** Unreadable records that one collection tells of, each once: enough to see what is wrong. */
const MAX_TOLD_RECORDS = 100;

/** How often {@linkcode Collection.update} tries again when another writer was faster. */
export const MAX_UPDATE_ATTEMPTS = 8;

/** How a collection stores its values. */
export interface CollectionOptions<T> {
  readonly kind: string;
  /**
   * Parses a stored value; what does not fit makes the record invisible to readers rather than the
   * gateway fail. Writers can still replace or remove it.
   */
  readonly schema: v.GenericSchema<unknown, T>;
  /** The value as JSON. */
  readonly toJson: (value: T) => WritableJson;
  /** By what lists are sorted. */
  readonly order: (value: T) => number;
  readonly tag?: (value: T) => string | undefined;
  /** Told once of a record that does not fit the schema. */
  readonly log?: Log;
}

/** Records of one kind. */
export class Collection<T> {
  readonly #store: Store;
  readonly #options: CollectionOptions<T>;
  /** Unreadable records that the log was told of; at most {@linkcode MAX_TOLD_RECORDS}. */
  readonly #told = new Set<string>();

  constructor(store: Store, options: CollectionOptions<T>) {
    this.#store = store;
    this.#options = options;
  }

  /** The record, unless there is none or it does not fit the schema. */
  async get(tenant: TenantId, id: string): Promise<Item<T> | undefined> {
    const { revision, value } = await this.current(tenant, id);
    return value === undefined ? undefined : { id, revision, value };
  }

  /** What a writer must know of a record: whether there is one, readable or not. */
  async current(tenant: TenantId, id: string): Promise<Current<T>> {
    const record = await this.#store.get({ tenant, kind: this.#options.kind, id });
    if (record === undefined) return { revision: 0 };
    const { revision, tag } = record;
    return { revision, value: this.#parse(tenant, record)?.value, tag };
  }

  async list(
    tenant: TenantId,
    query: Omit<RecordQuery, "tenant" | "kind"> = {},
  ): Promise<readonly Item<T>[]> {
    return (await this.page(tenant, query)).items;
  }

  /** As {@linkcode Collection.list}, for reading on after records that do not fit the schema. */
  async page(
    tenant: TenantId,
    query: Omit<RecordQuery, "tenant" | "kind"> = {},
  ): Promise<Page<T>> {
    const records = await this.#store.list({ ...query, tenant, kind: this.#options.kind });
    const items = records.map((record) => this.#parse(tenant, record));
    const last = records.at(-1);
    return {
      items: items.filter((item) => item !== undefined),
      last: last && { order: last.order, id: last.id },
    };
  }

  count(tenant: TenantId, query: { tag?: string; idPrefix?: string } = {}): Promise<number> {
    return this.#store.count({ ...query, tenant, kind: this.#options.kind });
  }

  /** The write that stores a value, for a commit that holds more than this record. */
  put(tenant: TenantId, id: string, value: T, expect?: Expected): StoreWrite {
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
  remove(tenant: TenantId, id: string, expect?: Expected): StoreWrite {
    return { op: "remove", key: { tenant, kind: this.#options.kind, id }, expect };
  }

  /**
   * Changes one record by compare-and-set, with other writes in the same commit: `change` is given
   * what is stored (undefined as well for what does not fit the schema, which its value replaces) and
   * returns the new value with those writes, or undefined to change nothing. It runs again when another
   * writer was faster, so it must have no effects of its own.
   */
  async update(
    tenant: TenantId,
    id: string,
    change: (current: T | undefined) => Change<T> | undefined,
  ): Promise<T | undefined> {
    for (let attempt = 1;; attempt++) {
      const { revision, value } = await this.current(tenant, id);
      const changed = change(value);
      if (changed === undefined) return value;
      const own = this.put(tenant, id, changed.value, revision);
      try {
        await this.#store.commit([own, ...(changed.alongside ?? [])]);
        return changed.value;
      } catch (error) {
        if (!(error instanceof StoreConflict) || attempt >= MAX_UPDATE_ATTEMPTS) throw error;
      }
    }
  }

  #parse(tenant: TenantId, record: StoredRecord): Item<T> | undefined {
    const parsed = v.safeParse(this.#options.schema, record.value);
    if (!parsed.success) {
      const [issue] = parsed.issues;
      // The place alone: an issue's message quotes the value.
      this.#tell(tenant, { id: record.id, member: v.getDotPath(issue) ?? "" });
      return undefined;
    }
    return { id: record.id, revision: record.revision, value: parsed.output };
  }

  #tell(tenant: TenantId, { id, member }: { id: string; member: string }): void {
    const { log, kind } = this.#options;
    const name = tenantKey(tenant, id);
    if (log === undefined || this.#told.size >= MAX_TOLD_RECORDS || this.#told.has(name)) return;
    this.#told.add(name);
    log.write("error", "a stored record does not fit its schema and is left out", {
      tenant,
      kind,
      id,
      member,
    });
  }
}

/** The outcome of a change: the new value, and what is written with it or not at all. */
export interface Change<T> {
  readonly value: T;
  readonly alongside?: readonly StoreWrite[];
}
