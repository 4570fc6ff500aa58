/** The rules for arguments that every store adapter enforces, so that none accepts what another refuses. */

import { quote } from "../core/quote.ts";
import {
  type Expected,
  type Json,
  type RecordKey,
  type RecordQuery,
  StoreMisuse,
  type StoreWrite,
  type StreamKey,
  type StreamRange,
  type WritableJson,
} from "../ports/store.ts";

/** Longest piece of an argument that a message shows, in characters: enough to find the caller. */
const SHOWN_CHARS = 80;

/** Refuses a key with an empty part or with text that a database cannot hold. */
export function checkKey(key: RecordKey | StreamKey): void {
  checkName("tenant", key.tenant);
  checkName("kind", key.kind);
  checkName("id", key.id);
}

/** Refuses a query that no adapter can answer. */
export function checkQuery(query: RecordQuery): void {
  checkName("tenant", query.tenant);
  checkName("kind", query.kind);
  if (query.tag !== undefined) checkText("tag", query.tag);
  if (query.idPrefix !== undefined) checkText("idPrefix", query.idPrefix);
  if (query.minOrder !== undefined) checkComparable("minOrder", query.minOrder);
  if (query.after !== undefined) {
    checkComparable("after.order", query.after.order);
    checkText("after.id", query.after.id);
  }
  if (query.limit !== undefined) checkCount("limit", query.limit);
}

/** Refuses a range that no adapter can answer. */
export function checkRange(range: StreamRange): void {
  if (range.after !== undefined) checkComparable("after", range.after);
  if (range.before !== undefined) checkComparable("before", range.before);
  checkCount("limit", range.limit);
}

/** A write whose value is fixed as JSON text. */
export type PreparedWrite =
  | {
    readonly op: "put";
    readonly key: RecordKey;
    readonly order: number;
    readonly tag: string | undefined;
    readonly text: string;
    readonly expect: Expected | undefined;
  }
  | { readonly op: "append"; readonly stream: StreamKey; readonly text: string }
  | Exclude<StoreWrite, { readonly op: "put" | "append" }>;

/** Checks the writes of a commit and takes a copy of their values, as JSON text. */
export function prepareWrites(writes: readonly StoreWrite[]): readonly PreparedWrite[] {
  return writes.map(prepareWrite);
}

function prepareWrite(write: StoreWrite): PreparedWrite {
  switch (write.op) {
    case "put":
      checkKey(write.key);
      if (!Number.isFinite(write.order)) throw misuse("order", write.order, "a finite number");
      if (write.tag !== undefined) checkText("tag", write.tag);
      checkExpected(write.expect);
      return {
        op: "put",
        key: write.key,
        // A database keeps no negative zero.
        order: write.order === 0 ? 0 : write.order,
        tag: write.tag,
        text: toText(write.value),
        expect: write.expect,
      };
    case "append":
      checkKey(write.stream);
      return { op: "append", stream: write.stream, text: toText(write.value) };
    case "remove":
      checkKey(write.key);
      checkExpected(write.expect);
      return write;
    case "trim":
      checkKey(write.stream);
      if (write.through !== undefined) checkComparable("through", write.through);
      return write;
    case "move":
      checkKey(write.stream);
      checkKey(write.into);
      if (write.through !== undefined) checkComparable("through", write.through);
      return write;
  }
}

/** The value that {@linkcode prepareWrites} made `text` of. Throws a `SyntaxError` on anything else. */
export function fromText(text: string): Json {
  return JSON.parse(text);
}

function toText(value: WritableJson): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new StoreMisuse("value cannot be written as JSON; store plain, acyclic data", { cause });
  }
  if (text === undefined) throw misuse("value", value, "JSON");
  // JSON writes such a number as null, so a text without one holds none.
  if (text.includes("null")) refuseNonFinite(value);
  return text;
}

/** Throws for NaN and infinities at any depth; the value has no cycle. */
function refuseNonFinite(value: WritableJson): void {
  const left: unknown[] = [value];
  while (left.length > 0) {
    const one = left.pop();
    if (typeof one === "number" && !Number.isFinite(one)) {
      throw misuse("value", one, "a finite number; JSON has no other");
    }
    if (typeof one === "object" && one !== null) {
      for (const member of Object.values(one)) left.push(member);
    }
  }
}

function checkName(name: string, text: string): void {
  if (text === "") throw new StoreMisuse(`${name} is empty; every key needs one`);
  checkText(name, text);
}

function checkText(name: string, text: string): void {
  if (!text.isWellFormed() || text.includes("\0")) {
    throw misuse(name, text, "well-formed Unicode without U+0000");
  }
}

function checkExpected(expect: Expected | undefined): void {
  if (expect === undefined) return;
  if (typeof expect === "number") return checkCount("expect", expect);
  checkCount("expect.revision", expect.revision);
  if (expect.tag !== undefined) checkText("expect.tag", expect.tag);
}

function checkComparable(name: string, value: number): void {
  if (Number.isNaN(value)) throw misuse(name, value, "a number");
}

function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw misuse(name, value, "a whole number from 0");
}

function misuse(name: string, value: unknown, wanted: string): StoreMisuse {
  return new StoreMisuse(`${name} ${quote(String(value), SHOWN_CHARS)} is not ${wanted}`);
}
