import assert from "node:assert/strict";
import { join } from "node:path";
import { listenUnix } from "../../../src/adapters/unix_socket.ts";
import { ListenError } from "../../../src/ports/listener.ts";
import { inTempFolder, testInTempFolder } from "../../support/temp_folder.ts";

async function refusal(path: string): Promise<ListenError> {
  try {
    const server = await listenUnix(path);
    server.close();
  } catch (error) {
    assert.ok(error instanceof ListenError, String(error));
    assert.ok(error.message.startsWith(`cannot listen on the socket ${path}: `), error.message);
    return error;
  }
  throw new Error("it listens");
}

const modeOf = async (path: string) => ((await Deno.lstat(path)).mode ?? 0) & 0o777;

for (const umask of [0o000, 0o022, 0o077]) {
  testInTempFolder(`umask ${umask.toString(8)}: socket 0600, folder 0700`, async (folder) => {
    const path = join(folder, "new", "deep", "control.sock");
    const before = Deno.umask(umask);
    try {
      const server = await listenUnix(path);
      try {
        assert.equal(await modeOf(path), 0o600);
        assert.equal(await modeOf(join(folder, "new", "deep")), 0o700);
        const accepted = server.accept();
        const peer = await Deno.connect({ transport: "unix", path });
        (await accepted).close();
        peer.close();
      } finally {
        server.close();
      }
      await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
      assert.equal(Deno.umask(), umask);
    } finally {
      Deno.umask(before);
    }
  });
}

testInTempFolder("a folder that others may enter is refused and left as it is", async (folder) => {
  await Deno.chmod(folder, 0o755);
  const { reason, message } = await refusal(join(folder, "x.sock"));
  assert.equal(reason, "not-permitted");
  assert.match(message, /others may enter .*; choose a folder that only you can \(chmod 700\)$/);
  assert.equal(await modeOf(folder), 0o755);
});

testInTempFolder("a link in place of the folder is refused", async (folder) => {
  await Deno.mkdir(join(folder, "real"), { mode: 0o700 });
  await Deno.symlink(join(folder, "real"), join(folder, "link"));
  assert.match((await refusal(join(folder, "link", "x.sock"))).message, /link is no folder$/);
});

testInTempFolder("what a dead program has left is replaced", async (folder) => {
  const path = join(folder, "x.sock");
  const gone = await listenUnix(join(folder, "other.sock"));
  // Under another name the file outlives its listener, as it does when a program is killed.
  await Deno.rename(join(folder, "other.sock"), path);
  gone.close();
  await assert.rejects(Deno.connect({ transport: "unix", path }), Deno.errors.ConnectionRefused);
  const server = await listenUnix(path);
  assert.equal(await modeOf(path), 0o600);
  (await Deno.connect({ transport: "unix", path })).close();
  server.close();
});

testInTempFolder("a socket that somebody answers is left alone", async (folder) => {
  const path = join(folder, "x.sock");
  const server = await listenUnix(path);
  try {
    const { reason, message } = await refusal(path);
    assert.equal(reason, "in-use");
    assert.match(message, /another program listens there/);
    assert.equal((await Deno.lstat(path)).isSocket, true);
  } finally {
    server.close();
  }
});

for (const kind of ["file", "folder", "link"] as const) {
  testInTempFolder(`a ${kind} at the path is refused and stays`, async (folder) => {
    const path = join(folder, "x.sock");
    if (kind === "file") await Deno.writeTextFile(path, "precious");
    else if (kind === "folder") await Deno.mkdir(path);
    else await Deno.symlink(join(folder, "elsewhere"), path);
    const { reason, message } = await refusal(path);
    assert.equal(reason, "in-use");
    assert.match(message, /something that is no socket; remove it/);
    await Deno.lstat(path);
  });
}

Deno.test("a path that no address has room for is refused", async () => {
  await inTempFolder(async (folder) => {
    const path = join(folder, "x".repeat(104));
    assert.match((await refusal(path)).message, /at most 103 bytes; choose a shorter one$/);
  });
});
