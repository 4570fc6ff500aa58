/** `health` and `status`: how the gateway is. */

import { CallFailed } from "../client/client_error.ts";
import type { GatewayClient } from "../client/gateway_client.ts";
import { ago, humanDuration } from "./duration.ts";
import { cell, jsonText } from "./foreign_text.ts";
import { callWatched, type Invocation, withGateway } from "./gateway_access.ts";
import { type JsonObject, object, objects } from "./json_view.ts";
import { mark } from "./mark.ts";
import { runningSettings, settingsTrouble } from "./running_settings.ts";
import { facts, table } from "./table.ts";

/** Most names in one line. */
const MAX_NAMES = 20;

/** Most sessions shown. */
const MAX_RECENT = 10;

/** Prints the gateway's health. */
export async function healthCommand(invocation: Invocation, probe: boolean): Promise<void> {
  const { terminal, flags } = invocation;
  await withGateway(invocation, async (client) => {
    const answer = await callWatched(client, invocation, {
      method: "health",
      params: probe ? { probe } : {},
    });
    if (flags.json === true) return terminal.out(`${jsonText(answer)}\n`);
    const health = object(answer);
    const snapshot = object(client.hello.payload.snapshot);
    terminal.out(facts([
      ["gateway", health.ok === true ? "ok" : "not ok"],
      ["release", cell(client.hello.serverVersion)],
      ["up for", duration(snapshot.uptimeMs)],
      ["agents", agentsText(health)],
      ["sessions", cell(object(health.sessions).count)],
      ["heartbeat", heartbeatText(health.heartbeatSeconds)],
      ["channels", channelsText(health)],
      ["answered in", duration(health.durationMs)],
    ]));
    printSessions(invocation, objects(object(health.sessions).recent));
  });
}

/** Prints what the gateway is doing. */
export async function statusCommand(invocation: Invocation): Promise<void> {
  const { terminal, flags } = invocation;
  await withGateway(invocation, async (client) => {
    const answer = await callWatched(client, invocation, { method: "status", params: {} });
    if (flags.json === true) return terminal.out(`${jsonText(answer)}\n`);
    const model = await defaultModel(client, invocation);
    const status = object(answer);
    const sessions = object(status.sessions);
    const snapshot = object(client.hello.payload.snapshot);
    const present = objects(snapshot.presence).filter(({ reason }) => reason !== "disconnect");
    terminal.out(facts([
      ["release", cell(client.hello.serverVersion)],
      ["up for", duration(snapshot.uptimeMs)],
      ["state folder", cell(snapshot.stateDir, 200)],
      ["settings", cell(snapshot.configPath, 200)],
      ["default model", model ?? cell(object(sessions.defaults).model)],
      ["default agent", cell(object(status.heartbeat).defaultAgentId)],
      ["sessions", cell(sessions.count)],
      ["present", cell(present.length)],
      ["methods", cell(client.hello.methods.length)],
    ]));
    for (const line of settingsTrouble(runningSettings(status))) {
      terminal.out(`${mark(terminal, "warning")} ${line}\n`);
    }
    printSessions(invocation, objects(sessions.recent));
  });
}

/** The model of new sessions as `provider/model`, which the status tells without its provider. */
async function defaultModel(
  client: GatewayClient,
  invocation: Invocation,
): Promise<string | undefined> {
  let answer: unknown;
  try {
    answer = await callWatched(client, invocation, {
      method: "sessions.list",
      params: { limit: 1 },
    });
  } catch (error) {
    // A gateway that lists no sessions to this caller has told its status all the same.
    if (error instanceof CallFailed) return undefined;
    throw error;
  }
  const { modelProvider, model } = object(object(answer).defaults);
  if (typeof modelProvider !== "string" || typeof model !== "string") return undefined;
  return cell(`${modelProvider}/${model}`);
}

function printSessions({ terminal }: Invocation, recent: readonly JsonObject[]): void {
  if (recent.length === 0) return;
  const rows = recent.slice(0, MAX_RECENT).map((session) => [
    cell(session.key),
    cell(session.model),
    ago(session.updatedAt, terminal.now()),
  ]);
  terminal.out(`\n${table(["SESSION", "MODEL", "LAST USED"], rows)}`);
}

function agentsText(health: JsonObject): string {
  const names = objects(health.agents).slice(0, MAX_NAMES).map(({ agentId }) => cell(agentId, 40));
  return names.length === 0 ? cell(health.defaultAgentId) : names.join(", ");
}

function channelsText(health: JsonObject): string {
  const { channelOrder } = health;
  const names = Array.isArray(channelOrder)
    ? channelOrder.slice(0, MAX_NAMES).map((name) => cell(name, 40))
    : [];
  return names.length === 0 ? "none" : names.join(", ");
}

function heartbeatText(seconds: unknown): string {
  if (typeof seconds !== "number" || seconds <= 0) return "off";
  return `every ${humanDuration(seconds * 1_000)}`;
}

function duration(ms: unknown): string {
  return typeof ms === "number" && Number.isFinite(ms) ? humanDuration(ms) : "-";
}
