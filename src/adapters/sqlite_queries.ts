/** The SQL of the store's reads whose text depends on the question. */

import type { RecordQuery, StreamRange } from "../ports/store.ts";

/** A statement and what to bind to its parameters, in order. */
export interface Query {
  /** One of a fixed, small set of texts: no argument is ever part of it. */
  readonly sql: string;
  readonly args: readonly (string | number)[];
}

/**
 * The records that match, each with `id`, `revision`, `sort_order`, `tag`, `value`. Reads no more rows
 * than it returns and sorts nothing, with two exceptions. A prefix with a limit walks the kind's index
 * in order until the limit is filled, which is right for prefixes that many ids share; a prefix without
 * a limit finds its records by id and sorts those.
 */
export function listQuery(query: RecordQuery): Query {
  const sortMatches = (query.idPrefix ?? "") !== "" && query.tag === undefined &&
    query.limit === undefined;
  const { conditions, args } = matching(query, !sortMatches);
  const { after, limit } = query;
  const direction = query.newestFirst === true ? "DESC" : "ASC";
  if (after !== undefined) {
    conditions.push(`(sort_order, id) ${query.newestFirst === true ? "<" : ">"} (?, ?)`);
    args.push(after.order, after.id);
  }
  // The unary plus keeps SQLite from choosing an index for the sake of the order.
  const order = sortMatches ? "+sort_order" : "sort_order";
  if (limit !== undefined) args.push(limit);
  return {
    sql: `SELECT id, revision, sort_order, tag, value FROM records
      WHERE ${conditions.join(" AND ")}
      ORDER BY ${order} ${direction}, id ${direction}${limit === undefined ? "" : " LIMIT ?"}`,
    args,
  };
}

/** How many records match, as `total`; answered from an index alone. */
export function countQuery(query: RecordQuery): Query {
  const { conditions, args } = matching(query, false);
  return { sql: `SELECT count(*) AS total FROM records WHERE ${conditions.join(" AND ")}`, args };
}

/** The entries of a stream in the range, from the end that is kept, each with `sequence`, `value`. */
export function readQuery(
  stream: { readonly tenant: string; readonly kind: string; readonly id: string },
  range: StreamRange,
): Query {
  const { after = 0, before = Number.MAX_SAFE_INTEGER, limit, keep } = range;
  return {
    sql: `SELECT sequence, value FROM stream_entries
      WHERE stream = (SELECT stream FROM stream_heads WHERE tenant = ? AND kind = ? AND id = ?)
        AND sequence > ? AND sequence < ?
      ORDER BY sequence ${keep === "newest" ? "DESC" : "ASC"} LIMIT ?`,
    args: [stream.tenant, stream.kind, stream.id, after, before, limit],
  };
}

/**
 * The first text, by code point, after every text that begins with `prefix`; undefined where there is
 * none because the prefix is empty or made of the last code point alone.
 */
export function endOfPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (char) => char.codePointAt(0) ?? 0);
  while (points.at(-1) === LAST_CODE_POINT) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  // Surrogates are no characters, so the range between them is stepped over.
  const next = last + 1 === FIRST_SURROGATE ? AFTER_SURROGATES : last + 1;
  return String.fromCodePoint(...points, next);
}

const LAST_CODE_POINT = 0x10ffff;
const FIRST_SURROGATE = 0xd800;
const AFTER_SURROGATES = 0xe000;

function matching(
  query: RecordQuery,
  walkInOrder: boolean,
): { readonly conditions: string[]; readonly args: (string | number)[] } {
  const conditions = ["tenant = ?", "kind = ?"];
  const args: (string | number)[] = [query.tenant, query.kind];
  const { tag, idPrefix, minOrder } = query;
  if (tag !== undefined) {
    conditions.push("tag = ?");
    args.push(tag);
  }
  if (minOrder !== undefined) {
    conditions.push("sort_order >= ?");
    args.push(minOrder);
  }
  if (idPrefix !== undefined && idPrefix !== "") {
    // The unary plus keeps SQLite from finding the records by id.
    const id = walkInOrder ? "+id" : "id";
    conditions.push(`${id} >= ?`);
    args.push(idPrefix);
    const end = endOfPrefix(idPrefix);
    if (end !== undefined) {
      conditions.push(`${id} < ?`);
      args.push(end);
    }
  }
  return { conditions, args };
}
