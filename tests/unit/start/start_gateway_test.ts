import assert from "node:assert/strict";
import { SecretFileError } from "../../../src/adapters/disk_secret.ts";
import { lockHolder, lockStateFolder } from "../../../src/adapters/state_lock.ts";
import { type StatePaths, statePaths } from "../../../src/config/state_files.ts";
import { ListenError } from "../../../src/ports/listener.ts";
import { ConfigurationError } from "../../../src/start/setup.ts";
import { startGateway } from "../../../src/start/start_gateway.ts";
import { inTempFolder } from "../../support/temp_folder.ts";

interface Case {
  readonly step: string;
  /** Makes the step fail. */
  readonly spoil: (paths: StatePaths) => Promise<void>;
  readonly failure: (error: unknown) => boolean;
}

const CASES: readonly Case[] = [
  {
    step: "a token that guards nothing",
    spoil: ({ token }) => Deno.writeTextFile(token, "changeme\n", { mode: 0o600 }),
    failure: (error) => error instanceof SecretFileError,
  },
  {
    step: "a database that is none",
    spoil: ({ database }) => Deno.writeTextFile(database, "not a database", { mode: 0o600 }),
    failure: (error) => error instanceof Error && /clawgate\.db/.test(error.message),
  },
  {
    step: "a port that is taken",
    spoil: () => Promise.resolve(),
    failure: (error) => error instanceof ListenError,
  },
];

for (const { step, spoil, failure } of CASES) {
  Deno.test({
    name: `a start that fails at ${step} leaves nothing open`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const stateDir = await Deno.makeTempDir();
      using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      try {
        const paths = statePaths(stateDir);
        await spoil(paths);
        const flags = { stateDir, bind: "127.0.0.1", port: String(taken.addr.port) };
        await assert.rejects(startGateway({ flags }), failure);
        using _lock = await lockStateFolder(stateDir);
        // SQLite removes its journal when the last connection closes.
        await assert.rejects(Deno.stat(`${paths.database}-wal`), Deno.errors.NotFound);
      } finally {
        await Deno.remove(stateDir, { recursive: true });
      }
    },
  });
}

Deno.test("a gateway that listens says where in its lock, for as long as it runs", () =>
  inTempFolder(async (stateDir) => {
    const gateway = await startGateway({ flags: { stateDir, bind: "lan", port: "0" } });
    try {
      const { port } = new URL(gateway.url);
      assert.deepEqual([gateway.host, gateway.url], ["0.0.0.0", `ws://127.0.0.1:${port}`]);
      const holder = await lockHolder(stateDir);
      assert.deepEqual(
        [holder?.pid, holder?.listening?.url],
        [Deno.pid, `ws://0.0.0.0:${port}`],
      );
      const { mode } = await Deno.stat(statePaths(stateDir).lock);
      assert.equal((mode ?? 0) & 0o777, 0o600);
    } finally {
      await gateway.stop("test over");
    }
    assert.equal(await lockHolder(stateDir), undefined);
  }));

Deno.test("a start whose chat channel wants the gateway's own port says so, wherever that comes from", () =>
  inTempFolder(async (stateDir) => {
    const write = (text: string) => Deno.writeTextFile(`${stateDir}/clawgate.json`, text);
    const issues = async (port?: string) => {
      const flags = { stateDir, ...(port === undefined ? {} : { port }) };
      const error = await startGateway({ flags }).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof ConfigurationError, String(error));
      return error.issues.map(({ path, message }) => `${path} ${message}`);
    };
    const told = [
      "channels.websocket.port is 18800, which is the gateway's own port; choose another",
    ];
    await write("{ channels: { websocket: {} } }");
    assert.deepEqual(await issues("18800"), told);
    await write("{ gateway: { port: 18800 }, channels: { websocket: {} } }");
    assert.deepEqual(await issues(), told);
  }));
