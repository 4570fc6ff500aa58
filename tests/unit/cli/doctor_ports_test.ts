import assert from "node:assert/strict";
import { checkPorts } from "../../../src/cli/doctor_ports.ts";
import { parseConfig } from "../../../src/config.ts";

const URL_OF_GATEWAY = "ws://127.0.0.1:7000";
const CONTROL = { control: { enabled: true } };

/** The findings on a host where a port is held like this. */
async function findings(
  settings: Readonly<Record<string, unknown>>,
  held: { held: boolean; holder?: { pid: number; program: string } } | undefined,
  { runs = true, url = URL_OF_GATEWAY } = {},
) {
  const running = runs ? { pid: 7, url } : undefined;
  const { config, warnings, issues } = parseConfig(settings, { env: {} });
  assert.deepEqual(issues, []);
  const found = await checkPorts(
    {
      settings: { config, warnings, issues: [] },
      running,
      url,
      exposed: false,
      anyPort: false,
    },
    () => Promise.resolve(held),
  );
  return found.map(({ finding, message, fix }) => [finding, message, fix]);
}

const FREE = { held: false };
const TAKEN = { held: true, holder: { pid: 42, program: "nginx" } };

Deno.test("no port is looked at that no wire wants", async () => {
  for (
    const settings of [
      {},
      { control: { port: 5 } },
      { control: { enabled: true, port: 0 } },
      { control: { enabled: true, path: "c.sock" } },
    ]
  ) assert.deepEqual(await findings(settings, TAKEN), []);
});

Deno.test("a port that is taken is told with who has it and what to change", async () => {
  assert.deepEqual(await findings(CONTROL, TAKEN), [[
    "broken",
    "port 18791 of the control channel is held by pid 42 (nginx), which is not the gateway of this state folder",
    "stop it, or choose another port with control.port",
  ]]);
  const [[, message] = []] = await findings(CONTROL, { held: true });
  assert.match(String(message), /is held by another program/);
  const [[, , fix] = []] = await findings(
    { channels: { websocket: { enabled: true, port: 5 } } },
    TAKEN,
  );
  assert.match(String(fix), /channels\.websocket\.port$/);
});

Deno.test("a port that is free, or the gateway's own, is fine", async () => {
  const own = { held: true, holder: { pid: 7, program: "deno" } };
  const free = [["fine", "port 18791 of the control channel is free", undefined]];
  assert.deepEqual(await findings(CONTROL, FREE, { runs: false }), free);
  for (
    const [held, message] of [
      [own, "port 18791 of the control channel is in use by this gateway"],
      [undefined, "port 18791 of the control channel is wanted"],
    ] as const
  ) assert.deepEqual(await findings(CONTROL, held), [["fine", message, undefined]]);
});

Deno.test("a port that the gateway itself has is told, whoever holds it", async () => {
  for (const held of [FREE, TAKEN]) {
    assert.deepEqual(await findings({ control: { enabled: true, port: 7_000 } }, held), [[
      "broken",
      "port 7000 is wanted by the gateway and by the control channel",
      "choose another port with control.port",
    ]]);
  }
  // The usual ones are left out of a URL.
  for (const [url, port] of [["ws://127.0.0.1", 80], ["wss://127.0.0.1:443", 443]] as const) {
    const [[, message] = []] = await findings({ control: { enabled: true, port } }, FREE, { url });
    assert.equal(message, `port ${port} is wanted by the gateway and by the control channel`);
  }
});

Deno.test("the gateway's own port is nobody's trouble on an address that it does not have", async () => {
  const settings = { channels: { websocket: { host: "192.0.2.1", port: 7_000 } } };
  const found = await findings(settings, FREE, { runs: false });
  assert.deepEqual(found.map(([finding]) => finding), ["fine"]);
});

Deno.test("a port that the running gateway should have and has not is told", async () => {
  assert.deepEqual(await findings(CONTROL, FREE), [[
    "warning",
    "port 18791 of the control channel is free, although a gateway runs that should have it",
    "restart it; if that does not help, its log says why",
  ]]);
});
