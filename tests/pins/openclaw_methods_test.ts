/** The methods of the OpenClaw wire, written out by hand: a change here is a change for every client. */

import assert from "node:assert/strict";
import type { Access } from "../../src/core/access.ts";
import { METHODS } from "../../src/protocols/openclaw/method_table.ts";

/** Name, scope, and whether it is advertised. All of these are for operators. */
const OPERATOR_METHODS: readonly (readonly [
  name: string,
  scope: Access["scope"],
  hidden?: "hidden",
])[] = [
  ["agent", "operator.write"],
  ["agent.identity.get", "operator.read"],
  ["agent.wait", "operator.write"],
  ["agents.list", "operator.read"],
  ["chat.abort", "operator.write"],
  ["chat.history", "operator.read"],
  ["chat.inject", "operator.admin", "hidden"],
  ["chat.send", "operator.write"],
  ["config.apply", "operator.admin"],
  ["config.get", "operator.admin"],
  ["config.patch", "operator.admin"],
  ["config.schema", "operator.admin"],
  ["config.set", "operator.admin"],
  ["device.pair.approve", "operator.pairing"],
  ["device.pair.list", "operator.pairing"],
  ["device.pair.reject", "operator.pairing"],
  ["device.token.revoke", "operator.pairing"],
  ["poll", "operator.admin", "hidden"],
  ["send", "operator.write"],
  ["channels.logout", "operator.admin"],
  ["channels.status", "operator.read"],
  ["device.token.rotate", "operator.pairing"],
  ["health", "operator.read"],
  ["last-heartbeat", "operator.read"],
  ["logs.tail", "operator.read"],
  ["models.list", "operator.read"],
  ["sessions.compact", "operator.admin"],
  ["sessions.delete", "operator.admin"],
  ["sessions.list", "operator.read"],
  ["sessions.patch", "operator.admin"],
  ["sessions.preview", "operator.read"],
  ["sessions.reset", "operator.admin"],
  ["sessions.resolve", "operator.admin"],
  ["set-heartbeats", "operator.admin"],
  ["status", "operator.read"],
  ["system-event", "operator.admin"],
  ["system-presence", "operator.read"],
];

/** Every method that the protocol document names. */
const DOCUMENT: readonly string[] = `
  health status usage.status usage.cost last-heartbeat set-heartbeats system-presence
  system-event logs.tail channels.status channels.logout web.login.start web.login.wait
  tts.status tts.providers tts.enable tts.disable tts.convert tts.setProvider config.get
  config.schema config.set config.patch config.apply update.run exec.approvals.get
  exec.approvals.set exec.approvals.node.get exec.approvals.node.set exec.approval.request
  exec.approval.resolve wizard.start wizard.next wizard.cancel wizard.status talk.mode
  models.list agents.list agents.files.list agents.files.get agents.files.set agent
  agent.identity.get agent.wait skills.status skills.bins skills.install skills.update
  voicewake.get voicewake.set sessions.list sessions.preview sessions.resolve sessions.patch
  sessions.reset sessions.delete sessions.compact node.pair.request node.pair.list
  node.pair.approve node.pair.reject node.pair.verify node.rename node.list node.describe
  node.invoke node.invoke.result node.event device.pair.list device.pair.approve
  device.pair.reject device.token.rotate device.token.revoke wake cron.list cron.status
  cron.add cron.update cron.remove cron.run cron.runs send poll chat.history chat.send
  chat.abort chat.inject browser.request
`.trim().split(/\s+/);

/** Methods beyond the document. */
const ADDITIONAL: readonly string[] = [];

Deno.test("each method has the access and visibility that clients know", () => {
  const built = [...METHODS.values()].map(({ name, access, advertised }) => [
    name,
    access.role,
    access.scope,
    advertised ? "advertised" : "hidden",
  ]).sort();
  const pinned = OPERATOR_METHODS.map(([name, scope, hidden = "advertised"]) => [
    name,
    "operator",
    scope,
    hidden,
  ]).sort();
  assert.deepEqual(built, pinned);
});

Deno.test("the document names 88 methods, each once", () => {
  assert.equal(DOCUMENT.length, 88);
  assert.equal(new Set(DOCUMENT).size, 88);
});

Deno.test("methods beyond the document are exactly the ones listed", () => {
  const known = new Set(DOCUMENT);
  assert.deepEqual([...METHODS.keys()].filter((name) => !known.has(name)).sort(), ADDITIONAL);
});

Deno.test("every entry says what it does in one sentence", () => {
  for (const { name, summary } of METHODS.values()) {
    assert.match(summary, /^[A-Z].*[^.]\.$/, name);
    assert.ok(!summary.includes("\n"), name);
  }
});
