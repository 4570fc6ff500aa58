import assert from "node:assert/strict";
import { parseConfig } from "../../../src/config.ts";
import { ListenError } from "../../../src/ports/listener.ts";
import { ChatDoor } from "../../../src/start/chat_door.ts";
import { MemoryLog } from "../../support/memory_log.ts";

function config(websocket: unknown) {
  const parsed = parseConfig({ channels: websocket === undefined ? {} : { websocket } }, {
    env: {},
  });
  assert.deepEqual(parsed.issues, []);
  return parsed.config;
}

/** A door whose settings are changed by `set`, which waits until it has followed. */
async function withDoor(
  websocket: unknown,
  work: (stage: {
    readonly door: ChatDoor;
    readonly log: MemoryLog;
    readonly set: (websocket: unknown) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  let current = config(websocket);
  const log = new MemoryLog();
  await using door = await ChatDoor.open({
    serve: () => new Response("chat"),
    log,
    config: () => current,
    overrides: {},
    gateway: { host: "127.0.0.1", port: 7_000 },
    tls: undefined,
  });
  const set = (websocket: unknown) => {
    current = config(websocket);
    return door.follow();
  };
  await work({ door, log, set });
}

async function answer(door: ChatDoor): Promise<string | undefined> {
  const { url } = door;
  if (url === undefined) return undefined;
  return await (await fetch(url.replace(/^ws/, "http"))).text();
}

/** A port that nobody has. */
function freePort(): number {
  using probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return probe.addr.port;
}

Deno.test("the port is open while the settings want it, where they want it", () =>
  withDoor(undefined, async ({ door, log, set }) => {
    assert.deepEqual([door.state, door.url], [{}, undefined]);
    const [first, second] = [freePort(), freePort()];
    await set({ port: first });
    assert.deepEqual([door.state, await answer(door)], [{ port: first }, "chat"]);
    await set({ port: first, path: "/else" });
    assert.match(door.url ?? "", /\/else$/);
    await set({ port: first, enabled: false });
    assert.deepEqual([door.state, door.url], [{}, undefined]);
    await assert.rejects(
      Deno.connect({ hostname: "127.0.0.1", port: first }),
      Deno.errors.ConnectionRefused,
    );
    await set({ port: first });
    assert.equal(await answer(door), "chat");
    await set({ port: second });
    assert.deepEqual([door.state, await answer(door)], [{ port: second }, "chat"]);
    // Of changes that come while one is carried out, the last counts.
    await Promise.all([set({ enabled: false }), set({ port: first }), set({ port: second })]);
    assert.deepEqual([door.state, await answer(door)], [{ port: second }, "chat"]);
    // The same port, on an address that cannot be had beside the one before.
    await set({ port: second, host: "0.0.0.0" });
    assert.deepEqual([door.state, await answer(door)], [{ port: second }, "chat"]);
    await set(undefined);
    assert.deepEqual(door.state, {});
    assert.deepEqual(log.lines.filter(({ level }) => level !== "info"), []);
  }));

Deno.test("a door that ends while it moves opens nothing more", () =>
  withDoor({ port: freePort() }, async ({ door, log, set }) => {
    const moved = set({ port: freePort() });
    // So far that it closes the first one.
    await null;
    await door[Symbol.asyncDispose]();
    await moved;
    await door.follow();
    assert.deepEqual(log.lines.map(({ message }) => message), [
      "the chat channel is listening",
      "the chat channel's own port was closed",
    ]);
    assert.deepEqual([door.state, door.url], [{}, undefined]);
  }));

Deno.test("at the start, a port that another program has is an error that names its setting", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await assert.rejects(
    withDoor({ port: taken.addr.port }, () => Promise.resolve()),
    (error) =>
      error instanceof ListenError && /with channels\.websocket\.port,/.test(error.message),
  );
});

Deno.test("later, what keeps the port closed is told once, and tried again", () =>
  withDoor(undefined, async ({ door, log, set }) => {
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr;
    try {
      await set({ port });
      await set({ port, path: "/else" });
      const problem = door.state.problem ?? "";
      assert.match(
        problem,
        /another program has the port; choose one with channels\.websocket\.port/,
      );
      assert.deepEqual(door.lines(), [`the chat channel's own port is closed: ${problem}`]);
      assert.deepEqual(log.lines.map(({ level, fields }) => [level, fields.reason]), [
        ["error", problem],
      ]);
    } finally {
      taken.close();
    }
    await door.follow();
    assert.deepEqual([door.state, door.lines(), await answer(door)], [{ port }, [], "chat"]);
  }));

Deno.test("settings that would keep a gateway from starting open no port", () =>
  withDoor(undefined, async ({ door, set }) => {
    const open = { host: "0.0.0.0", port: 0, auth: { enabled: false } };
    await set(open);
    assert.match(
      door.state.problem ?? "",
      /^channels\.websocket\.host is "0\.0\.0\.0", where every/,
    );
    assert.equal(door.state.port, undefined);
    await set({ port: 7_000 });
    assert.equal(
      door.state.problem,
      "channels.websocket.port is 7000, which is the gateway's own port; choose another",
    );
    await set({ ...open, allowPublicWithoutAuth: true });
    assert.equal(await answer(door), "chat");
    assert.match(door.lines().join(), /without asking who they are/);
    // Open already, it serves this machine alone from then on, which is the routes' matter.
    await set(open);
    assert.equal(await answer(door), "chat");
    assert.match(door.lines().join(), /^channels\.websocket\.host is "0\.0\.0\.0", where everyone/);
    await set({ enabled: false });
    assert.deepEqual([door.state, door.lines()], [{}, []]);
  }));
