import assert from "node:assert/strict";
import { join } from "node:path";
import { diskMedia } from "../../../src/adapters/disk_media.ts";
import { MediaRefused, type MediaRules } from "../../../src/ports/media.ts";
import { CountingRandom } from "../../support/counting_random.ts";

const random = new CountingRandom();

const PNG = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3);
const TEXT = new TextEncoder().encode("hello");

function body(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  return new Blob([bytes]).stream();
}

async function withFolder(
  fn: (parts: { folder: string; outside: string; rules: MediaRules }) => Promise<void>,
): Promise<void> {
  const root = await Deno.realPath(await Deno.makeTempDir());
  try {
    const folder = join(root, "media");
    const rules = { folder, maxBytes: 100, types: ["image/png", "text/plain"] };
    await fn({ folder, outside: root, rules });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function reason(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof MediaRefused, String(error));
  return error.reason;
}

Deno.test("a file is stored for the owner alone and found again", () =>
  withFolder(async ({ folder, rules }) => {
    const media = diskMedia();
    const saved = await media.save(
      { id: random.uuid(), type: "image/png", body: body(PNG) },
      rules,
    );
    assert.deepEqual([saved.type, saved.size], ["image/png", PNG.length]);
    assert.equal((await Deno.stat(folder)).mode! & 0o777, 0o700);
    assert.equal((await Deno.stat(join(folder, saved.path))).mode! & 0o777, 0o600);
    for (const path of [saved.path, join(folder, saved.path), `./${saved.path}`]) {
      const { bytes, ...found } = await media.open({ path }, rules);
      assert.deepEqual([found, bytes], [saved, PNG]);
    }
    const text = await media.save(
      { id: random.uuid(), type: "text/plain", body: body(TEXT) },
      rules,
    );
    assert.equal("bytes" in await media.open({ path: text.path }, rules), false);
  }));

Deno.test("what is not allowed leaves no file behind", () =>
  withFolder(async ({ folder, rules }) => {
    const media = diskMedia();
    const save = (type: string, bytes: Uint8Array<ArrayBuffer>) =>
      reason(media.save({ id: random.uuid(), type, body: body(bytes) }, rules));
    assert.equal(await save("application/zip", PNG), "type");
    assert.equal(await save("image/png", TEXT), "type");
    assert.equal(await save("text/plain", PNG), "type");
    assert.equal(await save("text/plain", new Uint8Array(101).fill(65)), "size");
    assert.equal(await save("text/plain", new Uint8Array()), "empty");
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  }));

Deno.test("an upload is measured and removed by its name; nothing else in the folder is", () =>
  withFolder(async ({ folder, outside, rules }) => {
    const media = diskMedia();
    const upload = { id: random.uuid(), type: "image/png" };
    assert.equal(await media.size(upload, folder), undefined);
    await media.remove(upload, folder);
    const { path } = await media.save({ ...upload, body: body(PNG) }, rules);
    assert.equal(await media.size(upload, folder), PNG.length);
    assert.equal(await media.size(upload, join(folder, path)), undefined);
    await assert.rejects(media.save({ ...upload, body: body(PNG) }, rules));
    assert.equal(await media.size(upload, folder), PNG.length);
    await media.remove(upload, folder);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
    // What an operator has put in its place is theirs.
    await Deno.writeFile(join(outside, "own.png"), PNG);
    await Deno.symlink(join(outside, "own.png"), join(folder, path));
    assert.equal(await media.size(upload, folder), undefined);
    await media.remove(upload, folder);
    await Deno.mkdir(join(folder, "own"));
    assert.equal((await Array.fromAsync(Deno.readDir(folder))).length, 2);
    const escape = { ...upload, id: "../own" };
    assert.equal(await reason(media.save({ ...escape, body: body(PNG) }, rules)), "path");
    assert.equal(await reason(media.remove(escape, folder)), "path");
    assert.deepEqual(await Deno.readFile(join(outside, "own.png")), PNG);
  }));

Deno.test("a picture beyond what may be shown is named only; a type may have parameters", () =>
  withFolder(async ({ rules }) => {
    const media = diskMedia();
    const { path } = await media.save(
      { id: random.uuid(), type: "image/png", body: body(PNG) },
      rules,
    );
    const type = "Image/PNG; q=1";
    assert.ok((await media.open({ path, type, mostShown: PNG.length }, rules)).bytes);
    const named = await media.open({ path, mostShown: PNG.length - 1 }, rules);
    assert.deepEqual(named, { path, type: "image/png", size: PNG.length });
  }));

Deno.test("nothing but plain files of the folder can be named", () =>
  withFolder(async ({ folder, outside, rules }) => {
    const media = diskMedia();
    const { path: good } = await media.save({
      id: random.uuid(),
      type: "image/png",
      body: body(PNG),
    }, rules);
    await Deno.writeFile(join(outside, "secret.png"), PNG);
    await Deno.mkdir(join(outside, "media-not"));
    await Deno.writeFile(join(outside, "media-not", "a.png"), PNG);
    await Deno.symlink(join(outside, "secret.png"), join(folder, "link.png"));
    await Deno.symlink(outside, join(folder, "up"));
    await Deno.link(join(outside, "secret.png"), join(folder, "hard.png"));
    await Deno.mkdir(join(folder, "sub"));
    await new Deno.Command("mkfifo", { args: [join(folder, "pipe.png")] }).output();
    const refused = [
      "../secret.png",
      "sub/../../secret.png",
      join(outside, "secret.png"),
      join(outside, "media-not", "a.png"),
      join(folder, "..", "secret.png"),
      "link.png",
      "up/secret.png",
      "hard.png",
      "pipe.png",
      "sub",
      ".",
      "",
      "none.png",
      `${good}\0`,
      "%2e%2e/secret.png",
      "/dev/zero",
      "x".repeat(2_000),
    ];
    for (const path of refused) {
      assert.equal(await reason(media.open({ path }, rules)), "path", path);
    }
    assert.equal(await reason(media.open({ path: good, type: "text/plain" }, rules)), "type");
    assert.equal(await reason(media.open({ path: good }, { ...rules, maxBytes: 5 })), "size");
    assert.equal(await reason(media.open({ path: good }, { ...rules, types: [] })), "type");
  }));
