import assert from "node:assert/strict";
import { join } from "node:path";
import { FileLog } from "../../../src/adapters/file_log.ts";
import { tailFile } from "../../../src/adapters/log_tail.ts";
import type { LogTail, LogTailRequest } from "../../../src/ports/log.ts";

async function withFile(work: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(join(folder, "a.log"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("what a request finds", async () => {
  const text = "one\ntwo\nthree\n";
  const cases: readonly {
    readonly name: string;
    readonly text?: string;
    readonly request: Partial<LogTailRequest>;
    readonly expected: Partial<LogTail>;
  }[] = [
    {
      name: "all",
      request: {},
      expected: { lines: ["one", "two", "three"], cursor: 14, size: 14 },
    },
    { name: "an empty file", text: "", request: {}, expected: { lines: [], cursor: 0, size: 0 } },
    { name: "the last lines", request: { limit: 2 }, expected: { lines: ["two", "three"] } },
    { name: "the end", request: { cursor: 14 }, expected: { lines: [], cursor: 14 } },
    { name: "since a cursor", request: { cursor: 4 }, expected: { lines: ["two", "three"] } },
    {
      name: "a cursor at the file's start",
      request: { cursor: 0 },
      expected: { lines: ["one", "two", "three"] },
    },
    {
      name: "a cursor within a line leaves the rest of it out",
      request: { cursor: 5 },
      expected: { lines: ["three"] },
    },
    {
      name: "more lines since the cursor than the limit",
      request: { cursor: 4, limit: 1 },
      expected: { lines: ["three"], truncated: true },
    },
    {
      name: "a cursor behind the end",
      request: { cursor: 15 },
      expected: { lines: ["one", "two", "three"], reset: true, cursor: 14 },
    },
    {
      name: "a cursor behind the end of an empty file",
      text: "",
      request: { cursor: 15 },
      expected: { lines: [], reset: true, cursor: 0, size: 0 },
    },
    {
      name: "a cursor behind the end of a large file",
      request: { cursor: 15, maxBytes: 6 },
      expected: { lines: ["three"], reset: true, truncated: true },
    },
    {
      name: "a cursor too far back",
      request: { cursor: 4, maxBytes: 9 },
      expected: { lines: ["three"], reset: true, truncated: true },
    },
    {
      name: "a cursor just near enough",
      request: { cursor: 4, maxBytes: 10 },
      expected: { lines: ["two", "three"] },
    },
    {
      name: "no cursor, more bytes than fit: the partial first line is left out",
      request: { maxBytes: 8 },
      expected: { lines: ["three"], truncated: true },
    },
    {
      name: "no cursor, bytes that fit whole lines exactly",
      request: { maxBytes: 10 },
      expected: { lines: ["two", "three"], truncated: true },
    },
    {
      name: "a line that is still being written waits",
      text: "one\ntw",
      request: {},
      expected: { lines: ["one"], cursor: 4, size: 6 },
    },
    {
      name: "a line longer than the bytes allowed is passed over",
      text: `one\n${"x".repeat(50)}`,
      request: { cursor: 4, maxBytes: 10 },
      expected: { lines: [], cursor: 54, size: 54, truncated: true, reset: true },
    },
    {
      name: "empty lines are lines",
      text: "\n\na\n",
      request: {},
      expected: { lines: ["", "", "a"], cursor: 4, size: 4 },
    },
  ];
  await withFile(async (path) => {
    for (const one of cases) {
      await Deno.writeTextFile(path, one.text ?? text);
      const found = await tailFile(path, { limit: 500, maxBytes: 250_000, ...one.request });
      const base = { file: path, cursor: 14, size: 14, truncated: false, reset: false };
      assert.deepEqual(found, { ...base, ...one.expected }, one.name);
    }
  });
});

Deno.test("a file that is not there is empty; anything else that fails is told", async () => {
  await withFile(async (path) => {
    const request = { limit: 1, maxBytes: 10 };
    assert.deepEqual(await tailFile(path, request), {
      file: path,
      cursor: 0,
      size: 0,
      lines: [],
      truncated: false,
      reset: false,
    });
    await Deno.mkdir(path);
    await assert.rejects(tailFile(path, { ...request, cursor: 0 }));
  });
});

Deno.test("a file that grows a byte at a time gives each line once, characters whole", async () => {
  const lines = ["plain", "", "höhe", "日本語", "🙂 ok", "end"];
  const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
  await withFile(async (path) => {
    const seen: string[] = [];
    let cursor: number | undefined = 0;
    for (const byte of bytes) {
      await Deno.writeFile(path, new Uint8Array([byte]), { append: true });
      const found: LogTail = await tailFile(path, { cursor, limit: 500, maxBytes: 250_000 });
      assert.equal(found.reset || found.truncated, false);
      seen.push(...found.lines);
      cursor = found.cursor;
    }
    assert.deepEqual(seen, lines);
    assert.equal(cursor, bytes.length);
  });
});

Deno.test("wherever the bytes are cut, no character is broken", async () => {
  const text = "日本語\n🙂🙂🙂\nñandú\n";
  const size = new TextEncoder().encode(text).length;
  await withFile(async (path) => {
    await Deno.writeTextFile(path, text);
    for (let maxBytes = 1; maxBytes <= size; maxBytes++) {
      const { lines } = await tailFile(path, { limit: 500, maxBytes });
      assert.deepEqual(lines, text.trimEnd().split("\n").slice(3 - lines.length), String(maxBytes));
    }
    for (let cursor = 0; cursor <= size; cursor++) {
      const { lines } = await tailFile(path, { cursor, limit: 500, maxBytes: 1_000 });
      assert.deepEqual(lines, text.trimEnd().split("\n").slice(3 - lines.length), String(cursor));
    }
  });
});

Deno.test("a reader that follows a log through rotation is told to begin anew", async () => {
  await withFile(async (path) => {
    const log = new FileLog({ path, level: () => "info", now: () => 0, maxFileBytes: 600 });
    const follow = async (cursor?: number) => {
      const found = await log.tail({ cursor, limit: 500, maxBytes: 250_000 });
      const counts = found.lines.map((line): unknown => JSON.parse(line).count);
      return { ...found, counts };
    };
    for (let count = 0; count < 5; count++) log.write("info", "line", { count });
    const first = await follow();
    assert.deepEqual(first.counts, [0, 1, 2, 3, 4]);
    log.write("info", "line", { count: 5 });
    const second = await follow(first.cursor);
    assert.deepEqual([second.counts, second.reset], [[5], false]);
    log.write("info", "line", { count: 6 });
    const third = await follow(second.cursor);
    assert.deepEqual([third.counts, third.reset, third.truncated], [[6], true, false]);
    log.write("info", "line", { count: 7 });
    const fourth = await follow(third.cursor);
    assert.deepEqual([fourth.counts, fourth.reset], [[7], false]);
    await log.close();
  });
});
