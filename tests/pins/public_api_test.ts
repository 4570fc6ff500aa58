/** What the package offers to programs that import it, written out by hand. */

import assert from "node:assert/strict";
import * as v from "valibot";
import { ROOT } from "../structure/source_tree.ts";

/** Kind and name of each export of `mod.ts`. */
const EXPORTS = [
  "class CallFailed",
  "class ConfigurationError",
  "class ConnectionFailed",
  "class Envelope",
  "class EventStream",
  "class GatewayClient",
  "class ListenError",
  "class SharedText",
  "function createGateway",
  "function createMemoryStore",
  "function defaultConfig",
  "function listenNatively",
  "function listenTcp",
  "function openSqliteStore",
  "function serveNatively",
  "function settingsCodec",
  "function startGateway",
  "interface AnsweredError",
  "interface Arrival",
  "interface CallOptions",
  "interface ClientInfo",
  "interface Clock",
  "interface CloseNote",
  "interface ClosedConnection",
  "interface Gateway",
  "interface GatewayClientOptions",
  "interface GatewayEvent",
  "interface GatewayParts",
  "interface Hello",
  "interface Link",
  "interface LinkListener",
  "interface ListenOptions",
  "interface Listener",
  "interface Log",
  "interface LogReader",
  "interface MessageNote",
  "interface ModelPort",
  "interface Random",
  "interface RunningGateway",
  "interface SendOptions",
  "interface ServerSocket",
  "interface SettingsFile",
  "interface SqliteStoreOptions",
  "interface StartOptions",
  "interface StopOptions",
  "interface Store",
  "interface TwoAnswerOptions",
  "interface TwoAnswers",
  "typeAlias Config",
  "typeAlias ConnectionFault",
  "typeAlias Outgoing",
  "typeAlias Serve",
  "typeAlias SettingsFormat",
  "typeAlias Upgrade",
  "variable systemClock",
  "variable systemRandom",
];

const Documentation = v.object({
  nodes: v.record(
    v.string(),
    v.object({
      symbols: v.array(v.object({
        name: v.string(),
        declarations: v.array(v.object({
          kind: v.string(),
          jsDoc: v.optional(v.object({ doc: v.optional(v.string()) })),
        })),
      })),
    }),
  ),
});

const output = await new Deno.Command(Deno.execPath(), {
  args: ["doc", "--json", "mod.ts"],
  cwd: ROOT,
  stdin: "null",
}).output();

function symbols() {
  assert.ok(output.success, new TextDecoder().decode(output.stderr));
  const { nodes } = v.parse(Documentation, JSON.parse(new TextDecoder().decode(output.stdout)));
  return Object.values(nodes).flatMap((node) => node.symbols).flatMap(({ name, declarations }) =>
    declarations.map(({ kind, jsDoc }) => ({ name: `${kind} ${name}`, doc: jsDoc?.doc ?? "" }))
  ).filter(({ name }) => !name.startsWith("moduleDoc "));
}

Deno.test("mod.ts exports exactly these", () => {
  assert.deepEqual(symbols().map(({ name }) => name).sort(), EXPORTS);
});

Deno.test("every export of mod.ts says what it is for", () => {
  for (const { name, doc } of symbols()) {
    assert.ok(doc.trim().length > 10, `${name} has no docstring`);
  }
});
