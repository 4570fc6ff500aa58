import assert from "node:assert/strict";
import { join } from "node:path";
import {
  LOCK_FILE,
  lockForCommand,
  lockHolder,
  lockStateFolder,
  StateLockError,
} from "../../../src/adapters/state_lock.ts";
import { inTempFolder } from "../../support/temp_folder.ts";

const MODULE = new URL("../../../src/adapters/state_lock.ts", import.meta.url).href;

Deno.test("a folder has one gateway at a time; the refusal names the folder and the process", () =>
  inTempFolder(async (folder) => {
    assert.equal(await lockHolder(folder), undefined);
    const lock = await lockStateFolder(folder);
    assert.deepEqual(
      { ...await lockHolder(folder), pidNamespace: undefined },
      { purpose: "gateway", pid: Deno.pid, pidNamespace: undefined },
    );
    await assert.rejects(lockStateFolder(folder), (error: unknown) => {
      assert.ok(error instanceof StateLockError);
      assert.ok(error.message.includes(folder), error.message);
      assert.match(error.message, new RegExp(`another gateway \\(pid ${Deno.pid}\\); stop it, or`));
      return true;
    });
    lock.release();
    lock.release();
    assert.equal(await lockHolder(folder), undefined);
    (await lockStateFolder(folder)).release();
    const { mode } = await Deno.stat(join(folder, LOCK_FILE));
    assert.equal((mode ?? 0) & 0o777, 0o600);
  }));

Deno.test("the lock ends with its process, also when that is killed", () =>
  inTempFolder(async (folder) => {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `import { lockStateFolder } from ${JSON.stringify(MODULE)};
         await lockStateFolder(${JSON.stringify(folder)});
         console.log("locked");
         await new Promise(() => setTimeout(() => {}, 1e8));`,
      ],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await reader.read()).value, "locked\n");
    assert.equal((await lockHolder(folder))?.pid, child.pid);
    await assert.rejects(lockStateFolder(folder), new RegExp(`pid ${child.pid}`));
    child.kill("SIGKILL");
    await Promise.all([child.status, reader.cancel()]);
    (await lockStateFolder(folder)).release();
  }));

Deno.test("a gateway that starts waits for a command at work; a command does not wait for a gateway", () =>
  inTempFolder(async (folder) => {
    const command = await lockForCommand(folder);
    assert.ok(command !== undefined);
    assert.equal((await lockHolder(folder))?.purpose, "command");
    let started = false;
    const starting = lockStateFolder(folder).then((lock) => {
      started = true;
      return lock;
    });
    assert.equal(await lockForCommand(folder), undefined);
    assert.equal(started, false);
    command.release();
    const gateway = await starting;
    assert.equal((await lockHolder(folder))?.purpose, "gateway");
    assert.equal(await lockForCommand(folder), undefined);
    gateway.release();
  }));

Deno.test("a lock file that leads elsewhere, or that cannot be made, is refused", () =>
  inTempFolder(async (folder) => {
    await Deno.symlink(join(folder, "elsewhere"), join(folder, LOCK_FILE));
    await assert.rejects(lockStateFolder(folder), /cannot lock .*it is a symbolic link; remove it/);
    await assert.rejects(Deno.lstat(join(folder, "elsewhere")), Deno.errors.NotFound);
    await assert.rejects(lockStateFolder(join(folder, "none")), StateLockError);
  }));

Deno.test("a gateway says in its lock where it listens, and the next holder does not inherit it", () =>
  inTempFolder(async (folder) => {
    const lock = await lockStateFolder(folder);
    assert.equal((await lockHolder(folder))?.listening, undefined);
    await lock.announce({ host: "::", port: 4007 });
    const holder = await lockHolder(folder);
    assert.deepEqual([holder?.pid, holder?.listening?.url], [Deno.pid, "ws://[::]:4007"]);
    const { mode } = await Deno.stat(join(folder, LOCK_FILE));
    assert.equal((mode ?? 0) & 0o777, 0o600);
    assert.equal(await lockForCommand(folder), undefined, "it is locked as before");
    lock.release();
    using _command = await lockForCommand(folder);
    assert.equal((await lockHolder(folder))?.listening, undefined);
  }));

Deno.test("an address that is half written, or none, is passed over", () =>
  inTempFolder(async (folder) => {
    const path = join(folder, LOCK_FILE);
    using _lock = await lockStateFolder(folder);
    const holder = await Deno.readTextFile(path);
    const good = '{"url":"ws://127.0.0.1:4007"}\n';
    const rows = [
      ...[0, 1, 10, good.length - 1].map((length) => good.slice(0, length)),
      "null\n",
      "[]\n",
      '{"url":5}\n',
      ...[
        "http://127.0.0.1:4007",
        "ws://127.0.0.1",
        "ws://u:p@127.0.0.1:4007",
        "ws://evil.example/:4007",
        "ws://evil.example?:4007",
        "ws://evil.example\\:4007",
        "ws://[:4007",
        "ws://127.0.0.1:99999",
      ].map((url) => `${JSON.stringify({ url })}\n`),
    ];
    for (const row of rows) {
      await Deno.writeTextFile(path, holder + row);
      const found = await lockHolder(folder);
      assert.deepEqual([found?.pid, found?.listening], [Deno.pid, undefined], row);
    }
    await Deno.writeTextFile(path, holder + good);
    assert.deepEqual((await lockHolder(folder))?.listening, { url: "ws://127.0.0.1:4007" });
    await Deno.writeTextFile(path, holder.slice(0, -1));
    assert.deepEqual(await lockHolder(folder), { purpose: "gateway", pid: 0 });
  }));
