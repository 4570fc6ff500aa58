/** The tables of a wire page say what the entries say. */

import assert from "node:assert/strict";
import * as v from "valibot";
import { errorTable, eventTable, limitTable, methodTable } from "../../../tools/wire_tables.ts";

function rows(table: string): readonly string[] {
  return table.split("\n").slice(2);
}

Deno.test("methods are listed by name with access, parameters and purpose", () => {
  const summary = "Does it.";
  const table = methodTable([
    {
      name: "b",
      access: { role: "node" },
      params: v.strictObject({}),
      summary,
      advertised: false,
    },
    {
      name: "a",
      access: { role: "operator", scope: "operator.read" },
      params: v.strictObject({ x: v.nullable(v.string()) }),
      summary,
      advertised: true,
    },
  ]);
  assert.deepEqual(rows(table), [
    "| `a` | operator | `operator.read` | `{ x: string \\| null }` | Does it. |",
    "| `b` (not advertised) | node | – | `{}` | Does it. |",
  ]);
});

Deno.test("events are listed with audience, numbering and verdict", () => {
  const table = eventTable({
    open: { summary: "One.", overflow: "drop", sequenced: false },
    closed: {
      summary: "Two.",
      audience: { role: "operator", scope: "operator.read" },
      overflow: "coalesce",
      sequenced: true,
    },
  });
  assert.deepEqual(rows(table), [
    "| `open` | every connection | no | left out | One. |",
    "| `closed` | `operator.read` | yes | replaced by the newest | Two. |",
  ]);
});

Deno.test("every error code has a meaning", () => {
  assert.match(errorTable(["NOT_PAIRED"]), /\| `NOT_PAIRED` \| .{10,} \|$/);
});

Deno.test("limits group their digits and keep their unit", () => {
  const limit = (value: number) => ["a", value, "bytes", "b"] as const;
  assert.deepEqual(rows(limitTable([1, 999, 1_000, 30_000, 1_572_864].map(limit))), [
    "| a | 1 bytes | b |",
    "| a | 999 bytes | b |",
    "| a | 1 000 bytes | b |",
    "| a | 30 000 bytes | b |",
    "| a | 1 572 864 bytes | b |",
  ]);
});
