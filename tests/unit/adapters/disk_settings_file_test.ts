import assert from "node:assert/strict";
import { join } from "node:path";
import {
  diskSettingsFile,
  findSettingsFile,
  folderSettingsFile,
  MAX_SETTINGS_FILE_BYTES,
} from "../../../src/adapters/disk_settings_file.ts";
import { GatewayError } from "../../../src/core/error.ts";

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function refused(promise: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, "UNAVAILABLE");
    assert.match(error.message, message);
    return true;
  });
}

async function mode(path: string): Promise<number> {
  return ((await Deno.stat(path)).mode ?? 0) & 0o777;
}

async function names(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(folder)) found.push(name);
  return found.sort();
}

Deno.test("a missing file has no text, and its path is told", () =>
  inFolder(async (folder) => {
    const path = join(folder, "none", "clawgate.json");
    assert.deepEqual(await diskSettingsFile(path).read(), { path, raw: undefined });
  }));

Deno.test("what is written is read back byte for byte", () =>
  inFolder(async (folder) => {
    const file = diskSettingsFile(join(folder, "clawgate.json"));
    for (const raw of ["", "{}", "\ufeff{ a: 'é🤖' }\r\n", "x".repeat(MAX_SETTINGS_FILE_BYTES)]) {
      await file.write(raw);
      assert.equal((await file.read()).raw, raw);
    }
    assert.deepEqual(await names(folder), ["clawgate.json"]);
  }));

Deno.test("files are 0600 and new folders 0700 whatever the umask", () =>
  inFolder(async (folder) => {
    const before = Deno.umask(0o000);
    try {
      for (const mask of [0o000, 0o022, 0o077]) {
        Deno.umask(mask);
        const state = join(folder, `s${mask}`, "deep");
        const path = join(state, "clawgate.json");
        await diskSettingsFile(path).write("{}");
        assert.equal(await mode(path), 0o600, mask.toString(8));
        assert.equal(await mode(state), 0o700, mask.toString(8));
        assert.equal(await mode(join(folder, `s${mask}`)), 0o700, mask.toString(8));
      }
    } finally {
      Deno.umask(before);
    }
  }));

Deno.test("a file keeps its owner's rights under a umask that takes them", () =>
  inFolder(async (folder) => {
    const path = join(folder, "clawgate.json");
    const before = Deno.umask(0o777);
    try {
      await diskSettingsFile(path).write("{}");
    } finally {
      Deno.umask(before);
    }
    assert.equal(await mode(path), 0o600);
  }));

Deno.test("an open file is made private by the next write", () =>
  inFolder(async (folder) => {
    const path = join(folder, "clawgate.json");
    await Deno.writeTextFile(path, "{}");
    await Deno.chmod(path, 0o644);
    await diskSettingsFile(path).write("{ a: 1 }");
    assert.equal(await mode(path), 0o600);
  }));

Deno.test("a reader sees the old text or the new one", () =>
  inFolder(async (folder) => {
    const file = diskSettingsFile(join(folder, "clawgate.json"));
    const [first, second] = ["a".repeat(300_000), "b".repeat(200_000)];
    await file.write(first);
    let reading = true;
    const seen = new Set<string | undefined>();
    const reader = (async () => {
      while (reading) seen.add((await file.read()).raw);
    })();
    for (let turn = 0; turn < 20; turn++) await file.write(turn % 2 === 0 ? second : first);
    reading = false;
    await reader;
    assert.ok(seen.size > 0);
    for (const text of seen) assert.ok(text === first || text === second);
  }));

Deno.test("a hard link to the file keeps the old text", () =>
  inFolder(async (folder) => {
    const path = join(folder, "clawgate.json");
    await diskSettingsFile(path).write("old");
    await Deno.link(path, join(folder, "other"));
    await diskSettingsFile(path).write("new");
    assert.equal(await Deno.readTextFile(join(folder, "other")), "old");
    assert.equal(await Deno.readTextFile(path), "new");
  }));

Deno.test("a link is followed and stays a link; its target is replaced", () =>
  inFolder(async (folder) => {
    const kept = join(folder, "dotfiles");
    await Deno.mkdir(kept);
    await Deno.writeTextFile(join(kept, "real.json"), "{ a: 1 }");
    await Deno.symlink("dotfiles/real.json", join(folder, "middle.json"));
    const path = join(folder, "clawgate.json");
    await Deno.symlink("middle.json", path);
    const file = diskSettingsFile(path);
    assert.deepEqual(await file.read(), { path, raw: "{ a: 1 }" });
    await file.write("{ a: 2 }");
    assert.equal(await Deno.readTextFile(join(kept, "real.json")), "{ a: 2 }");
    assert.equal((await Deno.lstat(path)).isSymlink, true);
    assert.equal(await mode(join(kept, "real.json")), 0o600);
    assert.deepEqual(await names(kept), ["real.json"]);
  }));

Deno.test("links that lead nowhere, in a circle or to no file are refused and create nothing", () =>
  inFolder(async (folder) => {
    const path = (name: string) => join(folder, name);
    await Deno.symlink("absent.json", path("dangling"));
    await Deno.symlink("circle", path("circle"));
    await Deno.symlink(".", path("folder"));
    await Deno.mkdir(path("plain"));
    const before = await names(folder);
    const table: readonly [string, RegExp][] = [
      ["dangling", /dangling is a link to .*absent\.json, which does not exist$/],
      ["circle", /leads through more than 8 links$/],
      ["folder", /is not a regular file$/],
      ["plain", /is not a regular file$/],
    ];
    for (const [name, message] of table) {
      await refused(diskSettingsFile(path(name)).read(), message);
      await refused(diskSettingsFile(path(name)).write("{}"), message);
    }
    assert.deepEqual(await names(folder), before);
  }));

Deno.test("a link to another user's file is refused", {
  ignore: Deno.uid() !== 0,
}, () =>
  inFolder(async (folder) => {
    const theirs = join(folder, "theirs.json");
    await Deno.writeTextFile(theirs, "{}");
    await Deno.chown(theirs, 65534, 65534);
    const path = join(folder, "clawgate.json");
    await Deno.symlink(theirs, path);
    await refused(diskSettingsFile(path).read(), /belongs to another user$/);
    await refused(diskSettingsFile(path).write("{}"), /belongs to another user$/);
  }));

Deno.test("a file that is too large or no text is refused", () =>
  inFolder(async (folder) => {
    const path = join(folder, "clawgate.json");
    await Deno.writeFile(path, new Uint8Array(MAX_SETTINGS_FILE_BYTES + 1));
    await refused(diskSettingsFile(path).read(), /larger than 1048576 bytes$/);
    await Deno.writeFile(path, new Uint8Array([0x7b, 0xff, 0x7d]));
    await refused(diskSettingsFile(path).read(), /is not UTF-8 text$/);
  }));

Deno.test("a failed write names the path and its code and leaves nothing behind", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "file"), "");
    const path = join(folder, "file", "clawgate.json");
    await refused(diskSettingsFile(path).write("{}"), /settings file .*clawgate\.json: ENOTDIR$/);
    assert.deepEqual(await names(folder), ["file"]);
  }));

Deno.test("the first of the names that exists is the settings file", () =>
  inFolder(async (folder) => {
    const candidates = ["clawgate.json", "clawgate.yaml", "clawgate.yml"] as const;
    const path = (name: string) => join(folder, name);
    const find = () => findSettingsFile(folder, candidates);
    assert.deepEqual(await find(), { path: path("clawgate.json"), passedOver: [] });
    await Deno.writeTextFile(path("clawgate.yml"), "");
    assert.deepEqual(await find(), { path: path("clawgate.yml"), passedOver: [] });
    await Deno.writeTextFile(path("clawgate.json"), "");
    assert.deepEqual(await find(), {
      path: path("clawgate.json"),
      passedOver: [path("clawgate.yml")],
    });
    assert.deepEqual(await findSettingsFile(join(folder, "none"), candidates), {
      path: join(folder, "none", "clawgate.json"),
      passedOver: [],
    });
  }));

Deno.test("old drafts of killed writers are removed, young ones and other files stay", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const draft = (name: string) => join(folder, `.${name}.${crypto.randomUUID()}.tmp`);
    const [old, young, foreign] = [draft("c.json"), draft("c.json"), draft("d.json")];
    for (const path of [old, young, foreign]) await Deno.writeTextFile(path, "secret");
    const longAgo = new Date(Date.now() - 2 * 3_600_000);
    await Deno.utime(old, longAgo, longAgo);
    await Deno.utime(foreign, longAgo, longAgo);
    await diskSettingsFile(join(folder, "c.json")).read();
    const left = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) =>
      join(folder, name)
    );
    assert.deepEqual(left.toSorted(), [young, foreign].toSorted());
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a folder's settings file is the one that is there by now, whatever it is called", () =>
  inFolder(async (folder) => {
    const candidates = ["clawgate.json", "clawgate.yaml"] as const;
    const path = (name: string) => join(folder, name);
    const file = folderSettingsFile(folder, candidates, path("clawgate.json"));
    assert.equal(file.path, path("clawgate.json"));
    assert.deepEqual(await file.read(), { path: path("clawgate.json"), raw: undefined });
    await Deno.writeTextFile(path("clawgate.yaml"), "a: 1\n");
    assert.deepEqual(await file.read(), { path: path("clawgate.yaml"), raw: "a: 1\n" });
    assert.equal(file.path, path("clawgate.yaml"));
    await file.write("a: 2\n", path("clawgate.yaml"));
    assert.equal(await Deno.readTextFile(path("clawgate.yaml")), "a: 2\n");
    await Deno.writeTextFile(path("clawgate.json"), "{}");
    assert.deepEqual(await file.read(), { path: path("clawgate.json"), raw: "{}" });
  }));

Deno.test("a text made of one file is never written over another", () =>
  inFolder(async (folder) => {
    const path = (name: string) => join(folder, name);
    const candidates = ["clawgate.json", "clawgate.yaml"] as const;
    const file = folderSettingsFile(folder, candidates, path("clawgate.json"));
    await Deno.writeTextFile(path("clawgate.yaml"), "a: 1\n");
    const { path: read } = await file.read();
    await Deno.writeTextFile(path("clawgate.json"), "{}");
    await refused(
      file.write("a: 2\n", read),
      /the settings file is .*clawgate\.json by now; read it again and retry$/,
    );
    assert.equal(await Deno.readTextFile(path("clawgate.json")), "{}");
    assert.equal(await Deno.readTextFile(path("clawgate.yaml")), "a: 1\n");
  }));
