/** `devices`: who is paired, who asks to be, and the decision. */

import { openSqliteStore } from "../adapters/sqlite_store.ts";
import { systemClock } from "../adapters/system_clock.ts";
import { systemRandom } from "../adapters/system_random.ts";
import { lockForCommand } from "../adapters/state_lock.ts";
import type { GatewayClient } from "../client/gateway_client.ts";
import { SCOPES } from "../core/access.ts";
import { DEFAULT_TENANT } from "../core/id.ts";
import { quote } from "../core/quote.ts";
import type { Store } from "../ports/store.ts";
import { type Approver, Devices } from "../services/devices.ts";
import { Hub } from "../services/hub.ts";
import { ago } from "./duration.ts";
import { CommandFailed, EXIT } from "./exit_code.ts";
import { cell, jsonText } from "./foreign_text.ts";
import { connect, connectOwn, type Invocation } from "./gateway_access.ts";
import { type LocalPaths, readHostState } from "./host_state.ts";
import { type JsonObject, object, objects, texts } from "./json_view.ts";
import { table } from "./table.ts";

/** Where decisions about devices are made: at a running gateway, or in its store. */
interface DeviceDesk extends AsyncDisposable {
  list(): Promise<unknown>;
  approve(requestId: string): Promise<unknown>;
  reject(requestId: string): Promise<unknown>;
}

/** Whoever has the files of the gateway may do what the gateway may. */
const HOST_APPROVER: Approver = { scopes: SCOPES };

/** Prints the requests that wait and the devices that are paired. */
export async function listDevices(invocation: Invocation): Promise<void> {
  const { terminal, flags } = invocation;
  await using desk = await openDesk(invocation);
  const answer = await desk.list();
  if (flags.json === true) return terminal.out(`${jsonText(answer)}\n`);
  const { pending, paired } = object(answer);
  const now = terminal.now();
  const waiting = objects(pending);
  if (waiting.length > 0) {
    terminal.out(table(
      ["WAITING", "DEVICE", "NAME", "ROLE", "SCOPES", "FROM", "ASKED"],
      waiting.map((item) => [
        cell(item.requestId),
        cell(item.deviceId, SHORT_ID_CHARS),
        cell(item.displayName ?? item.clientId, 40),
        cell(item.role),
        scopesText(item.scopes),
        cell(item.remoteIp, 45),
        ago(item.ts, now),
      ]),
    ));
    terminal.out("\nApprove one with `devices approve <id>`, the id as in the first column.\n");
  }
  const known = objects(paired);
  if (known.length > 0) {
    if (waiting.length > 0) terminal.out("\n");
    terminal.out(table(
      ["PAIRED", "NAME", "ROLES", "SCOPES", "APPROVED", "LAST USED"],
      known.map((item) => [
        cell(item.deviceId, SHORT_ID_CHARS),
        cell(item.displayName ?? item.clientId, 40),
        texts(item.roles).map((role) => cell(role, 20)).join(",") || cell(item.role),
        scopesText(item.scopes),
        ago(item.approvedAtMs, now),
        ago(lastUsed(item), now),
      ]),
    ));
  }
  if (waiting.length === 0 && known.length === 0) {
    terminal.out("No device is paired and none asks to be.\n");
  }
}

/** Characters of a device's 64-digit id that tell it from the others. */
const SHORT_ID_CHARS = 12;

function scopesText(value: unknown): string {
  const names = texts(value).map((scope) => cell(scope.replace(/^operator\./, ""), 20));
  return names.length === 0 ? "-" : names.slice(0, 8).join(",");
}

function lastUsed(device: JsonObject): number | undefined {
  // A list on the wire, a record in the store.
  const tokens = Array.isArray(device.tokens)
    ? objects(device.tokens)
    : objects(Object.values(object(device.tokens)));
  const times = tokens.map(({ lastUsedAtMs }) => lastUsedAtMs).filter((at) =>
    typeof at === "number"
  );
  return times.length === 0 ? undefined : Math.max(...times);
}

/** Decides about one request. `requestId` may be its beginning when that names one request alone. */
export async function decideDevice(
  invocation: Invocation,
  decision: { readonly verdict: "approve" | "reject"; readonly requestId: string },
): Promise<void> {
  const { terminal, flags } = invocation;
  await using desk = await openDesk(invocation);
  const request = await findRequest(desk, decision.requestId);
  const id = String(request.requestId);
  const answer = decision.verdict === "approve" ? await desk.approve(id) : await desk.reject(id);
  if (flags.json === true) return terminal.out(`${jsonText(answer)}\n`);
  const name = cell(request.displayName ?? request.clientId, 40);
  const scopes = scopesText(request.scopes);
  const device = cell(request.deviceId, SHORT_ID_CHARS);
  terminal.out(
    decision.verdict === "approve"
      ? `Approved ${device} (${name}) as ${cell(request.role)} with ${scopes}; ` +
        "it gets in when it connects again.\n"
      : `Rejected ${device} (${name}).\n`,
  );
}

async function findRequest(desk: DeviceDesk, wanted: string): Promise<JsonObject> {
  const pending = objects(object(await desk.list()).pending);
  const matches = pending.filter(({ requestId }) =>
    typeof requestId === "string" && requestId.startsWith(wanted) && wanted !== ""
  );
  const exact = matches.find(({ requestId }) => requestId === wanted);
  const [only] = exact === undefined ? matches : [exact];
  if (only !== undefined && (exact !== undefined || matches.length === 1)) return only;
  throw new CommandFailed(
    EXIT.failed,
    matches.length > 1
      ? `${quote(wanted)} is the beginning of ${matches.length} requests`
      : `no request ${quote(wanted)} waits for a decision`,
    "`devices list` shows those that do; one that nobody decides ends after five minutes",
  );
}

/** The running gateway when there is one, else its store; with `--url`, that gateway alone. */
async function openDesk(invocation: Invocation): Promise<DeviceDesk> {
  const { flags, terminal } = invocation;
  if (flags.url !== undefined) return gatewayDesk(await connect(invocation));
  const state = await readHostState(flags, terminal.env);
  const own = await connectOwn(invocation, state);
  if (own !== undefined) return gatewayDesk(own);
  return storeDesk(state.paths);
}

function gatewayDesk(client: GatewayClient): DeviceDesk {
  return {
    list: () => client.call("device.pair.list", {}),
    approve: (requestId) => client.call("device.pair.approve", { requestId }),
    reject: (requestId) => client.call("device.pair.reject", { requestId }),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/**
 * The store itself. Its folder is locked meanwhile, so that no gateway starts, brings the database to its
 * layout and loads it in the middle of a decision. A gateway that has the folder already and could not be
 * reached shares the store: every write tells what it expects to find.
 */
async function storeDesk({ database: path, stateDir }: LocalPaths): Promise<DeviceDesk> {
  try {
    await Deno.lstat(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CommandFailed(
      EXIT.unreachable,
      `no gateway answers, and there is no database ${quote(path)}`,
      "start a gateway with `serve`, or name its state folder with --state-dir",
    );
  }
  const lock = await lockForCommand(stateDir);
  let store: Store;
  try {
    store = openSqliteStore({ path });
  } catch (error) {
    lock?.release();
    throw error;
  }
  const devices = new Devices({
    store,
    clock: systemClock,
    random: systemRandom,
    hub: new Hub(),
    // Tokens are derived from the gateway's own; lists and decisions derive none.
    keyring: { secret: systemRandom.hex(32) },
  });
  return {
    list: () => devices.list(DEFAULT_TENANT),
    approve: (requestId) => devices.approve(DEFAULT_TENANT, requestId, HOST_APPROVER),
    reject: (requestId) => devices.reject(DEFAULT_TENANT, requestId),
    [Symbol.asyncDispose]: async () => {
      await store.close();
      lock?.release();
    },
  };
}
