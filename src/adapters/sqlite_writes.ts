/** The writes of a commit, as SQL on an open transaction. */

import {
  type Expected,
  type RecordKey,
  StoreConflict,
  type StoreWrite,
  type StreamKey,
} from "../ports/store.ts";
import { number, type Row, type Statements } from "./sqlite_statements.ts";
import type { PreparedWrite } from "./store_arguments.ts";

/**
 * Applies one write and returns its part of the commit's result. Throws {@linkcode StoreConflict},
 * with nothing of this write applied, and SQLite's own errors.
 */
export function applyWrite(statements: Statements, write: PreparedWrite): number {
  switch (write.op) {
    case "put":
      return put(statements, write);
    case "remove":
      return remove(statements, write.key, write.expect);
    case "append": {
      const { tenant, kind, id } = write.stream;
      const { stream, last } = toHead(statements.first(SQL.extend, tenant, kind, id, 1, 1));
      statements.run(SQL.append, stream, last, write.text);
      return last;
    }
    case "trim":
      return trim(statements, findHead(statements, write.stream), write.through);
    case "move":
      return move(statements, write);
  }
}

function put(
  statements: Statements,
  { key, expect, order, tag, text }: PreparedWrite & { readonly op: "put" },
): number {
  const place = [key.tenant, key.kind, key.id];
  const content = [order, tag ?? null, text];
  if (expect === undefined) {
    return number(statements.first(SQL.put, ...place, ...content), "revision");
  }
  const revision = revisionOf(expect);
  let changed: number;
  if (revision === 0) {
    // What is not there has no tag either.
    const untagged = typeof expect === "number" || expect.tag === undefined;
    changed = untagged ? statements.run(SQL.create, ...place, ...content) : 0;
  } else if (typeof expect === "number") {
    changed = statements.run(SQL.replace, ...content, ...place, revision);
  } else {
    changed = statements.run(SQL.replaceTagged, ...content, ...place, revision, expect.tag ?? null);
  }
  if (changed === 0) throw new StoreConflict(key);
  return revision + 1;
}

function remove(statements: Statements, key: RecordKey, expect: Expected | undefined): number {
  const place = [key.tenant, key.kind, key.id];
  if (expect === undefined) return statements.run(SQL.remove, ...place);
  const row = statements.first(SQL.stamp, ...place);
  const revision = row === undefined ? 0 : number(row, "revision");
  const tagged = typeof expect === "number" || (row?.tag ?? undefined) === expect.tag;
  if (revision !== revisionOf(expect) || !tagged) throw new StoreConflict(key);
  return statements.run(SQL.remove, ...place);
}

function revisionOf(expect: Expected): number {
  return typeof expect === "number" ? expect : expect.revision;
}

function trim(
  statements: Statements,
  head: StreamHead | undefined,
  through: number | undefined,
): number {
  if (head === undefined) return 0;
  const removed = statements.run(SQL.trim, head.stream, Math.min(through ?? head.last, head.last));
  if (removed > 0) statements.run(SQL.shorten, removed, head.stream);
  return removed;
}

/**
 * Where all entries go into a stream that never was, and none was ever removed, so that the sequences
 * stay, the head changes its name: no entry is touched, however many there are.
 */
function move(
  statements: Statements,
  { stream, into, through }: StoreWrite & { readonly op: "move" },
): number {
  const source = findHead(statements, stream);
  if (source === undefined) return 0;
  const whole = through === undefined || through >= source.last;
  const away = stream.tenant !== into.tenant || stream.kind !== into.kind || stream.id !== into.id;
  if (whole && away && source.length > 0 && source.length === source.last) {
    const taken = statements.run(SQL.rename, into.tenant, into.kind, into.id, source.stream);
    if (taken > 0) {
      const { tenant, kind, id } = stream;
      statements.first(SQL.extend, tenant, kind, id, source.last, 0);
      return source.length;
    }
  }
  // Within one stream the moved entries come after `last`, so the trim leaves them alone.
  const last = Math.min(through ?? source.last, source.last);
  const moved = number(statements.first(SQL.countThrough, source.stream, last), "total");
  if (moved === 0) return 0;
  const target = toHead(
    statements.first(SQL.extend, into.tenant, into.kind, into.id, moved, moved),
  );
  statements.run(SQL.copy, target.stream, target.last - moved, source.stream, last);
  return trim(statements, source, last);
}

/** The stream's head, if anything was ever appended. */
export function findHead(
  statements: Statements,
  { tenant, kind, id }: StreamKey,
): StreamHead | undefined {
  const row = statements.first(SQL.head, tenant, kind, id);
  return row === undefined ? undefined : toHead(row);
}

const WHERE_KEY = "WHERE tenant = ? AND kind = ? AND id = ?";
const INSERT_RECORD = `INSERT INTO records (tenant, kind, id, revision, sort_order, tag, value)
  VALUES (?, ?, ?, 1, ?, ?, ?) ON CONFLICT (tenant, kind, id)`;

const SQL = {
  stamp: `SELECT revision, tag FROM records ${WHERE_KEY}`,
  put: `${INSERT_RECORD} DO UPDATE SET revision = revision + 1, sort_order = excluded.sort_order,
    tag = excluded.tag, value = excluded.value RETURNING revision`,
  create: `${INSERT_RECORD} DO NOTHING`,
  replace: `UPDATE records SET revision = revision + 1, sort_order = ?, tag = ?, value = ?
    ${WHERE_KEY} AND revision = ?`,
  replaceTagged: `UPDATE records SET revision = revision + 1, sort_order = ?, tag = ?, value = ?
    ${WHERE_KEY} AND revision = ? AND tag IS ?`,
  remove: `DELETE FROM records ${WHERE_KEY}`,
  head: `SELECT stream, last_sequence, length FROM stream_heads ${WHERE_KEY}`,
  extend: `INSERT INTO stream_heads (tenant, kind, id, last_sequence, length)
    VALUES (?, ?, ?, ?, ?) ON CONFLICT (tenant, kind, id) DO UPDATE SET
    last_sequence = last_sequence + excluded.last_sequence, length = length + excluded.length
    RETURNING stream, last_sequence, length`,
  rename: `UPDATE OR IGNORE stream_heads SET tenant = ?, kind = ?, id = ? WHERE stream = ?`,
  shorten: "UPDATE stream_heads SET length = length - ? WHERE stream = ?",
  append: "INSERT INTO stream_entries (stream, sequence, value) VALUES (?, ?, ?)",
  trim: "DELETE FROM stream_entries WHERE stream = ? AND sequence <= ?",
  countThrough: "SELECT count(*) AS total FROM stream_entries WHERE stream = ? AND sequence <= ?",
  copy: `INSERT INTO stream_entries (stream, sequence, value)
    SELECT ?, ? + row_number() OVER (ORDER BY sequence), value
    FROM stream_entries WHERE stream = ? AND sequence <= ?`,
} as const;

/** Where a stream stands. */
export interface StreamHead {
  readonly stream: number;
  /** The last sequence ever given out. */
  readonly last: number;
  readonly length: number;
}

function toHead(row: Row | undefined): StreamHead {
  return {
    stream: number(row, "stream"),
    last: number(row, "last_sequence"),
    length: number(row, "length"),
  };
}
