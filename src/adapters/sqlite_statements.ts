/** Prepared statements, kept, and rows read without trust. */

import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Json } from "../ports/store.ts";
import { DamagedRow } from "./sqlite_failure.ts";
import type { Query } from "./sqlite_queries.ts";
import { fromText } from "./store_arguments.ts";

/** A row of an answer, by column. */
export type Row = Readonly<Record<string, unknown>>;

/** The statements of one connection. Errors are SQLite's own. */
export interface Statements {
  /** The first row, if there is one. */
  first(sql: string, ...args: readonly SQLInputValue[]): Row | undefined;
  all(query: Query): Row[];
  /** Returns the number of rows that changed. */
  run(sql: string, ...args: readonly SQLInputValue[]): number;
}

/**
 * Prepares each text once and keeps it as long as the connection. The caller bounds the number of
 * texts: arguments are bound, never part of a text.
 */
export function createStatements(database: DatabaseSync): Statements {
  const prepared = new Map<string, StatementSync>();
  const statement = (sql: string): StatementSync => {
    let found = prepared.get(sql);
    if (found === undefined) {
      found = database.prepare(sql);
      prepared.set(sql, found);
    }
    return found;
  };
  return {
    first: (sql, ...args) => statement(sql).get(...args),
    all: ({ sql, args }) => statement(sql).all(...args),
    run: (sql, ...args) => Number(statement(sql).run(...args).changes),
  };
}

/** A column that holds text; throws {@linkcode DamagedRow}. */
export function text(row: Row | undefined, column: string): string {
  const value = row?.[column];
  if (typeof value !== "string") throw damaged(column);
  return value;
}

/** A column that holds a number; throws {@linkcode DamagedRow}. */
export function number(row: Row | undefined, column: string): number {
  const value = row?.[column];
  if (typeof value !== "number") throw damaged(column);
  return value;
}

/** A column that holds JSON text, parsed; throws {@linkcode DamagedRow}. */
export function json(row: Row, column: string): Json {
  const value = text(row, column);
  try {
    return fromText(value);
  } catch (cause) {
    throw damaged(column, cause);
  }
}

function damaged(column: string, cause?: unknown): DamagedRow {
  return new DamagedRow(`a row holds no usable ${column}`, { cause });
}
