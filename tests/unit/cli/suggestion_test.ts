import assert from "node:assert/strict";
import { editDistance, suggestion } from "../../../src/cli/suggestion.ts";

const COMMANDS = [
  "serve",
  "call",
  "health",
  "status",
  "chat",
  "devices",
  "config",
  "token",
  "doctor",
];

const SLIPS: readonly (readonly [string, string | undefined])[] = [
  ["helth", "health"],
  ["HEALTH", "health"],
  ["sattus", "status"],
  ["device", "devices"],
  ["confgi", "config"],
  ["srve", "serve"],
  ["chta", "chat"],
  ["xyz", undefined],
  ["", undefined],
  ["h".repeat(10_000), undefined],
];

for (const [typed, meant] of SLIPS) {
  Deno.test(`${typed.slice(0, 20)} means ${meant}`, () => {
    assert.equal(suggestion(typed, COMMANDS), meant);
  });
}

const DISTANCES: readonly (readonly [string, string, number])[] = [
  ["", "", 0],
  ["a", "", 1],
  ["", "abc", 3],
  ["abc", "abc", 0],
  ["abc", "acb", 1],
  ["kitten", "sitting", 3],
];

for (const [from, to, distance] of DISTANCES) {
  Deno.test(`from "${from}" to "${to}" it is ${distance}`, () => {
    assert.equal(editDistance(from, to), distance);
    assert.equal(editDistance(to, from), distance);
  });
}
