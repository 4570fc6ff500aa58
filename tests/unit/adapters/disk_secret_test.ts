import assert from "node:assert/strict";
import { join } from "node:path";
import {
  ensurePrivateFolder,
  ensureSecret,
  SecretFileError,
} from "../../../src/adapters/disk_secret.ts";
import { inTempFolder } from "../../support/temp_folder.ts";

const never = (): string => {
  throw new Error("a secret was made where one stood already");
};

async function mode(path: string): Promise<number> {
  return ((await Deno.stat(path)).mode ?? 0) & 0o777;
}

async function names(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.map(({ name }) => name).sort();
}

Deno.test("a missing secret is made once, stored as one line and read ever after", () =>
  inTempFolder(async (folder) => {
    const path = join(folder, "token");
    assert.deepEqual(await ensureSecret(path, () => "s-1"), { value: "s-1", created: true });
    assert.equal(await Deno.readTextFile(path), "s-1\n");
    assert.deepEqual(await ensureSecret(path, never), { value: "s-1", created: false });
    assert.deepEqual(await names(folder), ["token"]);
  }));

Deno.test("white space around a stored secret is not part of it", () =>
  inTempFolder(async (folder) => {
    const path = join(folder, "token");
    for (const text of ["own", "own\n", "  own\r\n", "\n\nown\t"]) {
      await Deno.writeTextFile(path, text);
      assert.deepEqual(await ensureSecret(path, never), { value: "own", created: false });
      assert.equal(await Deno.readTextFile(path), text, "the file was written");
    }
  }));

Deno.test("the file is 0600 and its folder 0700, whatever the umask or their mode before", () =>
  inTempFolder(async (folder) => {
    const before = Deno.umask();
    try {
      for (const mask of [0o000, 0o022, 0o277]) {
        Deno.umask(mask);
        const home = join(folder, `made-${mask}`);
        await ensureSecret(join(home, "token"), () => "s");
        assert.deepEqual([await mode(home), await mode(join(home, "token"))], [0o700, 0o600]);
      }
    } finally {
      Deno.umask(before);
    }
    const open = join(folder, "open");
    const path = join(open, "token");
    await Deno.mkdir(open);
    await Deno.writeTextFile(path, "s\n");
    await Deno.chmod(open, 0o777);
    await Deno.chmod(path, 0o644);
    assert.equal((await ensureSecret(path, never)).value, "s");
    assert.deepEqual([await mode(open), await mode(path)], [0o700, 0o600]);
  }));

Deno.test("of many that start at once, one makes the secret and all use it", () =>
  inTempFolder(async (folder) => {
    const path = join(folder, "deep", "token");
    const secrets = await Promise.all(
      Array.from({ length: 20 }, (_, at) => ensureSecret(path, () => `s-${at}`)),
    );
    assert.equal(new Set(secrets.map(({ value }) => value)).size, 1);
    assert.equal(secrets.filter(({ created }) => created).length, 1);
    assert.deepEqual(await names(join(folder, "deep")), ["token"]);
  }));

Deno.test("a secret that cannot be kept is an error that names the file and what to do", () =>
  inTempFolder(async (folder) => {
    const file = join(folder, "file");
    const empty = join(folder, "empty");
    const directory = join(folder, "directory");
    await Deno.writeTextFile(file, "x");
    await Deno.writeTextFile(empty, " \n");
    await Deno.mkdir(directory);
    const table: readonly [path: string, doing: RegExp][] = [
      [empty, /is empty; delete it to have a new one made$/],
      [directory, /^cannot keep a secret in .*; make the folder writable or choose another/],
      [join(file, "token"), /^cannot keep a secret in .*; make the folder writable or choose/],
    ];
    for (const [path, doing] of table) {
      await assert.rejects(ensureSecret(path, () => "hunter2"), (error: unknown) => {
        assert.ok(error instanceof SecretFileError);
        assert.ok(error.message.includes(path), error.message);
        assert.match(error.message, doing);
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      });
    }
    assert.equal(await Deno.readTextFile(empty), " \n");
    assert.deepEqual(await names(folder), ["directory", "empty", "file"]);
  }));

Deno.test("a secret whose making fails leaves nothing behind", () =>
  inTempFolder(async (folder) => {
    await assert.rejects(ensureSecret(join(folder, "token"), never), SecretFileError);
    assert.deepEqual(await names(folder), []);
  }));

Deno.test("a folder is made with its parents, or closed to others with its files as they are", () =>
  inTempFolder(async (folder) => {
    const deep = join(folder, "a", "b");
    await ensurePrivateFolder(deep);
    assert.equal(await mode(deep), 0o700);
    await Deno.writeTextFile(join(deep, "kept"), "x");
    for (const before of [0o755, 0o770, 0o500, 0o700]) {
      await Deno.chmod(deep, before);
      await ensurePrivateFolder(deep);
      assert.equal(await mode(deep), 0o700);
    }
    assert.deepEqual(await names(deep), ["kept"]);
  }));

Deno.test("a folder or secret that belongs to another user is refused, also by root; root's is not", () =>
  inTempFolder(async (folder) => {
    const path = join(folder, "token");
    const owner = Deno.uid();
    if (owner === null) return;
    await Deno.writeTextFile(path, "hunter2\n", { mode: 0o600 });
    const stranger = owner + 1;
    const options = { user: stranger };
    if (owner === 0) {
      assert.equal((await ensureSecret(path, never, options)).value, "hunter2");
      await Deno.chown(path, 12_345, null);
      await assert.rejects(
        ensureSecret(path, never),
        /token belongs to user 12345, and this is us/,
      );
      await Deno.chown(path, 0, null);
      await Deno.chown(folder, 12_345, null);
    }
    const asked = owner === 0 ? {} : options;
    for (
      const work of [
        () => ensureSecret(path, never, asked),
        () => ensurePrivateFolder(folder, owner === 0 ? 0 : stranger),
      ]
    ) {
      await assert.rejects(work, (error: unknown) => {
        assert.ok(error instanceof SecretFileError);
        assert.match(
          error.message,
          /belongs to user \d+, and this is user \d+; run the gateway as/,
        );
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      });
    }
  }));

Deno.test("a symbolic link is followed neither for the folder nor for the secret", () =>
  inTempFolder(async (folder) => {
    const real = join(folder, "real");
    await Deno.mkdir(real, { mode: 0o755 });
    await Deno.writeTextFile(join(real, "other"), "not-a-token\n", { mode: 0o644 });
    await Deno.symlink(real, join(folder, "link"));
    await Deno.symlink(join(real, "other"), join(real, "token"));
    for (const path of [join(folder, "link", "fresh"), join(real, "token")]) {
      await assert.rejects(ensureSecret(path, () => "s"), /SecretFileError: .* is a symbolic link/);
    }
    assert.equal(await mode(join(real, "other")), 0o644, "nothing was changed behind the link");
    assert.deepEqual(await names(real), ["other", "token"]);
  }));

Deno.test("a file system without hard links is named as such, and nothing is left behind", () =>
  inTempFolder(async (folder) => {
    for (const code of ["EPERM", "ENOTSUP", "EOPNOTSUPP"]) {
      const link = () => Promise.reject(Object.assign(new Error("no"), { code }));
      await assert.rejects(
        ensureSecret(join(folder, "token"), () => "hunter2", { link }),
        /file system has no hard links.*choose a folder on another with --state-dir/,
      );
    }
    assert.deepEqual(await names(folder), []);
  }));
