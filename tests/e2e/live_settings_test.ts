import assert from "node:assert/strict";
import { join } from "node:path";
import { ChatClient } from "../support/chat_client.ts";
import { eventually } from "../support/deadline.ts";
import { GatewayProcess, runProgram } from "../support/gateway_process.ts";
import { inTempFolder } from "../support/temp_folder.ts";
import { refusalOf, WireClient } from "../support/wire_client.ts";

/** A gateway on a folder of its own, and a client that may change its settings. */
async function inGateway(
  files: Readonly<Record<string, string>>,
  work: (parts: {
    readonly folder: string;
    readonly client: WireClient;
    /** The lines that it printed so far. */
    readonly printed: () => readonly string[];
    readonly write: (name: string, text: string) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  await inTempFolder(async (folder) => {
    const write = (name: string, text: string) => Deno.writeTextFile(join(folder, name), text);
    for (const [name, text] of Object.entries(files)) await write(name, text);
    await using gateway = await GatewayProcess.start({ stateDir: folder });
    const { token, url } = gateway;
    await using client = await WireClient.connect(url, { token, scopes: ["operator.admin"] });
    await work({ folder, client, printed: () => gateway.output.split("\n"), write });
  });
}

Deno.test("a YAML file made while the gateway runs counts, is told as its file, and is what a patch writes", () =>
  inGateway({}, async ({ folder, client, write }) => {
    await write("clawgate.yaml", "# mine\nsession:\n  mainKey: y\n");
    const path = join(folder, "clawgate.yaml");
    const { hash } = await eventually(async () => {
      const config = await client.call("config.get", {});
      return config.path === path ? config : undefined;
    }, "the new file");
    await client.call("config.patch", { raw: '{"session":{"mainKey":"z"}}', baseHash: hash });
    assert.equal(await Deno.readTextFile(path), "# mine\nsession:\n  mainKey: z\n");
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.ok(!names.includes("clawgate.json"));
  }));

Deno.test("a changed file that is refused is in the status and told, until it is good again", () =>
  inGateway({ "clawgate.json": "{}" }, async ({ folder, client, printed, write }) => {
    const settings = async () => (await client.call("status", {})).settings;
    assert.deepEqual(await settings(), { disabledProviders: [] });
    await write("clawgate.json", '{ gateway: { port: "x" } }');
    const refused = await eventually(async () => (await settings()).refused, "the refusal");
    assert.deepEqual(refused.issues.map(({ path }: { path: string }) => path), ["gateway.port"]);
    const path = join(folder, "clawgate.json");
    const line =
      /^settings: \S+clawgate\.json is not used: gateway\.port must be .*; the earlier settings stay/;
    await eventually(() => printed().some((each) => line.test(each)), "the line");
    await write("clawgate.json", '{ gateway: { auth: { password: "${A_PASSWORD_NOT_SET}" } } }');
    await eventually(
      async () => (await settings()).refused?.issues[0]?.path === "gateway.auth.password",
      "the refusal of the password",
    );
    await write("clawgate.json", "{ }");
    await eventually(async () => (await settings()).refused === undefined, "the good file");
    await eventually(() => printed().includes(`settings: ${path} is in effect again`), "the line");
  }));

Deno.test("without its variable a provider is disabled: told, listed, and named by its models", () => {
  const providers = {
    keyed: { baseUrl: "http://127.0.0.1:9", apiKey: "${KEY_NOT_SET}", models: [{ id: "m" }] },
  };
  const settings = JSON.stringify({ models: { providers } });
  return inGateway({ "clawgate.json": settings }, async ({ client, printed }) => {
    const warning =
      "warning: models.providers.keyed.apiKey needs the environment variable KEY_NOT_SET, which is " +
      'not set; the provider "keyed" is disabled until it is';
    await eventually(() => printed().includes(warning), "the warning");
    assert.deepEqual((await client.call("status", {})).settings.disabledProviders, [
      { provider: "keyed", variables: ["KEY_NOT_SET"] },
    ]);
    await client.call("sessions.patch", { key: "main", model: "keyed/m" });
    const { runId } = await client.call("chat.send", {
      sessionKey: "main",
      message: "hello",
      idempotencyKey: "k1",
    });
    const { payload } = await client.event("chat", (event) => event.state === "error");
    assert.equal(payload.runId, runId);
    assert.match(
      payload.errorMessage,
      /^keyed\/m needs the environment variable KEY_NOT_SET, which is not set: .* in clawgate\.json\.$/,
    );
  });
});

Deno.test("without its variable a secret of the gateway keeps it from starting", () =>
  inTempFolder(async (folder) => {
    await Deno.writeTextFile(
      join(folder, "clawgate.json"),
      '{ gateway: { auth: { token: "${TOKEN_NOT_SET}" } } }',
    );
    const { code, err } = await runProgram(["serve", "--port", "0", "--state-dir", folder]);
    assert.equal(code, 5);
    assert.match(
      err,
      /gateway\.auth\.token needs the environment variable TOKEN_NOT_SET, which is not set/,
    );
  }));

Deno.test("health tells a changed setting and a changed session in its next answer", () =>
  inGateway({ "clawgate.json": "{}" }, async ({ client }) => {
    const health = () => client.call("health", {});
    const { heartbeatSeconds, sessions } = await health();
    assert.deepEqual([heartbeatSeconds, sessions.count], [1_800, 0]);
    const { hash } = await client.call("config.get", {});
    await client.call("config.patch", {
      raw: '{"agents":{"defaults":{"heartbeat":{"every":"7m"}},"list":[{"id":"a"},{"id":"b"}]}}',
      baseHash: hash,
    });
    const changed = await health();
    assert.equal(changed.heartbeatSeconds, 420);
    assert.deepEqual(changed.agents.map(({ agentId }: { agentId: string }) => agentId), ["a", "b"]);
    await client.call("sessions.patch", { key: "one", label: "One" });
    assert.equal((await health()).sessions.count, 1);
    await client.call("sessions.patch", { key: "two", label: "Two" });
    assert.equal((await health()).sessions.count, 2);
    await client.call("sessions.delete", { key: "two" });
    assert.equal((await health()).sessions.count, 1);
    const refusal = await refusalOf(client.call("sessions.patch", { key: "x", model: "nope/x" }));
    assert.equal(refusal.code, "INVALID_REQUEST");
    assert.equal((await health()).sessions.count, 1);
  }));

Deno.test("the chat channel is switched on, off and on again with its own port, as its status tells", () =>
  inGateway({ "clawgate.json": "{}" }, async ({ client, printed, write }) => {
    const port = freePort();
    const account = async () =>
      (await client.call("channels.status", {})).channelAccounts.websocket[0];
    const stands = (running: boolean, at: number | null) =>
      eventually(async () => {
        const { enabled, port, ...rest } = await account();
        return enabled === running && rest.running === running && port === at;
      }, `the status of a channel that is ${running ? "on" : "off"}`);
    const url = `ws://127.0.0.1:${port}/ws?senderId=ann`;
    const websocket = { port, auth: { enabled: false } };
    const settings = (more = {}) =>
      JSON.stringify({ channels: { websocket: { ...websocket, ...more } } });
    for (let time = 0; time < 2; time++) {
      const { ts: before } = await client.call("channels.status", {});
      await write("clawgate.json", settings());
      await stands(true, port);
      assert.ok((await account()).lastStartAt >= before);
      const chat = await ChatClient.open(url);
      assert.match(await chat.ask("hello"), /^Hello/);
      await write("clawgate.json", settings({ enabled: false }));
      assert.equal((await chat.end()).code, 1000);
      await stands(false, null);
      await assert.rejects(
        Deno.connect({ hostname: "127.0.0.1", port }),
        Deno.errors.ConnectionRefused,
      );
    }
    const { hash } = await client.call("config.get", {});
    const raw = '{"channels":{"websocket":{"enabled":true}}}';
    const { restart } = await client.call("config.patch", { raw, baseHash: hash });
    assert.equal(restart.required, false);
    await stands(true, port);
    // A file of more than the bodies that a gateway without the channel takes.
    const response = await fetch(`${url.replace(/^ws/, "http").replace("?", "/media?")}`, {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "x".repeat(2 * 1024 * 1024),
    });
    assert.deepEqual([response.status, (await response.json()).size], [201, 2 * 1024 * 1024]);
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await write("clawgate.json", settings({ port: taken.addr.port }));
    const { lastError } = await eventually(async () => {
      const now = await account();
      return now.lastError === undefined ? undefined : now;
    }, "the status of a port that another program has");
    assert.match(lastError, /another program has the port/);
    assert.deepEqual([(await account()).running, (await account()).port], [false, null]);
    await eventually(
      () =>
        printed().some((line) =>
          line === `settings: the chat channel's own port is closed: ${lastError}`
        ),
      "the line that tells of it",
    );
  }));

/** A port that nobody has. */
function freePort(): number {
  using probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return probe.addr.port;
}
