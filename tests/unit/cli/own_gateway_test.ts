import assert from "node:assert/strict";
import { join } from "node:path";
import { LOCK_FILE, lockForCommand, lockStateFolder } from "../../../src/adapters/state_lock.ts";
import { leadsTo, ownGateway, strangerAt } from "../../../src/cli/own_gateway.ts";
import { testInTempFolder as test } from "../../support/temp_folder.ts";

test("a gateway on another port, or in another process, does not vouch for who has this one", async (folder) => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = new URL(`ws://127.0.0.1:${listener.addr.port}`);
  using lock = await lockStateFolder(folder);
  // This process has both the lock and the port.
  assert.equal(await strangerAt(url, folder), undefined);
  listener.close();
  const other = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "const l = Deno.listen({ hostname: '127.0.0.1', port: 0 });" +
      "console.log(l.addr.port); await new Promise(() => setTimeout(() => {}, 1e8));",
    ],
    stdout: "piped",
  }).spawn();
  const reader = other.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const port = Number((await reader.read()).value);
  const stranger = await strangerAt(new URL(`ws://127.0.0.1:${port}`), folder);
  other.kill("SIGKILL");
  await Promise.all([other.status, reader.cancel()]);
  if (Deno.build.os === "linux") {
    assert.equal(stranger?.listening, true);
    assert.match(stranger.reason, /belongs to another program than the gateway/);
  }
  lock.release();
});

test("a running gateway is dialled where it says that it listens, every interface through loopback", async (folder) => {
  const rows = [
    ["127.0.0.1", "ws://127.0.0.1:4007", "127.0.0.1"],
    ["0.0.0.0", "ws://127.0.0.1:4007", "0.0.0.0"],
    ["::", "ws://[::1]:4007", "[::]"],
    ["192.0.2.7", "ws://192.0.2.7:4007", "192.0.2.7"],
  ] as const;
  assert.equal(await ownGateway(folder), undefined);
  for (const [bound, url, host] of rows) {
    using lock = await lockStateFolder(folder);
    assert.deepEqual(await ownGateway(folder), { pid: Deno.pid });
    await lock.announce({ host: bound, port: 4007 });
    assert.deepEqual(await ownGateway(folder), { pid: Deno.pid, address: { url, host } });
  }
  // What it left in the file says nothing any more.
  assert.equal(await ownGateway(folder), undefined);
  using _command = await lockForCommand(folder);
  assert.equal(await ownGateway(folder), undefined);
});

test("an address of another network, as a container has it, is not dialled here", async (folder) => {
  using lock = await lockStateFolder(folder);
  const path = join(folder, LOCK_FILE);
  const [holder] = (await Deno.readTextFile(path)).split("\n");
  const address = { url: "ws://0.0.0.0:4007", netNamespace: "net:[1]" };
  await Deno.writeTextFile(path, `${holder}\n${JSON.stringify(address)}\n`);
  assert.deepEqual(await ownGateway(folder), { pid: Deno.pid });
  lock.release();
});

test("a secret is not sent to a port that the gateway does not listen on, its own process's or not", async (folder) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using lock = await lockStateFolder(folder);
  await lock.announce({ host: "127.0.0.1", port: listener.addr.port });
  const at = (port: number) => strangerAt(new URL(`ws://127.0.0.1:${port}`), folder);
  assert.equal(await at(listener.addr.port), undefined);
  const stranger = await at(other.addr.port);
  assert.match(
    stranger?.reason ?? "",
    new RegExp(`listens at 127\\.0\\.0\\.1:${listener.addr.port}$`),
  );
});

Deno.test("which addresses lead to a listener", () => {
  interface Row {
    readonly bound: string;
    /** Where it is known whose the sockets are. */
    readonly checked: readonly string[];
    /** Where it is not. */
    readonly unchecked: readonly string[];
  }
  const names = ["127.0.0.1", "127.0.0.2", "[::1]", "localhost", "192.0.2.7", "evil.example"];
  const loopback = ["127.0.0.1", "127.0.0.2", "[::1]", "localhost"];
  const rows: readonly Row[] = [
    {
      bound: "127.0.0.1",
      checked: loopback,
      unchecked: ["127.0.0.1", "[::1]", "localhost"],
    },
    { bound: "0.0.0.0", checked: loopback, unchecked: ["127.0.0.1"] },
    { bound: "[::]", checked: loopback, unchecked: ["[::1]"] },
    { bound: "192.0.2.7", checked: ["192.0.2.7"], unchecked: ["192.0.2.7"] },
  ];
  for (const { bound, checked, unchecked } of rows) {
    const said = new URL(`ws://${bound}:4007`);
    const led = (known: boolean) =>
      names.filter((name) => leadsTo(new URL(`ws://${name}:4007`), said, { checked: known }));
    assert.deepEqual(led(true), checked, bound);
    assert.deepEqual(led(false), unchecked, bound);
    assert.equal(leadsTo(new URL(`ws://${bound}:4008`), said, { checked: true }), false);
  }
  const https = new URL("wss://192.0.2.7");
  assert.equal(leadsTo(https, new URL("wss://192.0.2.7:443"), { checked: true }), true);
});
