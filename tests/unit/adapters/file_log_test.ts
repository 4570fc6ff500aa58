import assert from "node:assert/strict";
import { join } from "node:path";
import type { ConsoleSink } from "../../../src/adapters/console_sink.ts";
import { consoleSink, formatRecord } from "../../../src/adapters/console_sink.ts";
import { FileLog, type FileLogOptions, MAX_LOG_FIELDS } from "../../../src/adapters/file_log.ts";
import { logFileProblem } from "../../../src/adapters/rotating_file.ts";
import { MASK } from "../../../src/core/redact.ts";
import type { LogFields, LogLevel, LogRecord } from "../../../src/ports/log.ts";

const NOW = 1_750_000_000_000;

interface Fixture extends AsyncDisposable {
  readonly folder: string;
  readonly path: string;
  open(options?: Partial<FileLogOptions>): FileLog;
  lines(path?: string): Promise<Record<string, unknown>[]>;
}

async function fixture(): Promise<Fixture> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "logs", "gateway.log");
  return {
    folder,
    path,
    open: (options = {}) => new FileLog({ path, level: () => "info", now: () => NOW, ...options }),
    lines: async (from = path) =>
      (await Deno.readTextFile(from)).trimEnd().split("\n").map((line) => JSON.parse(line)),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("a line is JSON with time, level, component, message and fields, in order", async () => {
  await using at = await fixture();
  const log = at.open();
  log.write("info", "ready", { port: 1, local: true, none: null, left: undefined });
  log.child("http").write("warn", "odd request", { path: "/x" });
  log.child("http").child("ws").write("error", "gone");
  await log.close();
  assert.deepEqual(await at.lines(), [
    {
      time: "2025-06-15T15:06:40.000Z",
      level: "info",
      component: "gateway",
      message: "ready",
      port: 1,
      local: true,
      none: null,
    },
    {
      time: "2025-06-15T15:06:40.000Z",
      level: "warn",
      component: "http",
      message: "odd request",
      path: "/x",
    },
    {
      time: "2025-06-15T15:06:40.000Z",
      level: "error",
      component: "http/ws",
      message: "gone",
    },
  ]);
});

Deno.test("lines below the level are not written; the level is read at every line", async () => {
  await using at = await fixture();
  let level: LogLevel = "warn";
  const log = at.open({ level: () => level });
  log.write("info", "one");
  log.write("warn", "two");
  level = "trace";
  log.write("trace", "three");
  await log.close();
  log.write("error", "after close");
  await log.flush();
  assert.deepEqual((await at.lines()).map(({ message }) => message), ["two", "three"]);
});

Deno.test("the file is for its owner alone, and so is a folder that had to be made", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using at = await fixture();
  const log = at.open();
  log.write("info", "one");
  await log.flush();
  const mode = async (path: string) => ((await Deno.stat(path)).mode ?? 0) & 0o777;
  assert.equal(await mode(at.path), 0o600);
  assert.equal(await mode(join(at.folder, "logs")), 0o700);
  await Deno.chmod(at.path, 0o666);
  log.write("info", "two");
  await log.close();
  assert.equal(await mode(at.path), 0o600);
});

Deno.test("hostile text is one escaped line, cut", async () => {
  await using at = await fixture();
  const hostile = `\x1b[2J\n{"level":"error"}\r\u2028\u202e${"B".repeat(15_000)}`;
  const log = at.open();
  log.write("info", hostile, {
    origin: hostile,
    [hostile]: "x",
    // Names that are known to no type checker.
    ...Object.fromEntries([["time", "never"]]),
    ["__proto__"]: "own",
  });
  log.child(hostile).write("error", hostile, { stack: hostile });
  log.write(
    "info",
    "many",
    Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`f${at}`, at])),
  );
  await log.close();
  const text = await Deno.readTextFile(at.path);
  assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\p{Cf}\u2028\u2029]/u);
  const lines = await at.lines();
  assert.equal(lines.length, 3);
  assert.equal(String(lines[0]?.message).length, 257);
  assert.equal(String(lines[0]?.origin).length, 257);
  assert.equal(lines[0]?.time, "2025-06-15T15:06:40.000Z");
  assert.equal(lines[0]?.time_, "never");
  assert.equal(Object.getOwnPropertyDescriptor(lines[0], "__proto__")?.value, "own");
  assert.equal(String(lines[1]?.stack).length, 2_001);
  assert.ok(String(lines[1]?.component).length <= 65);
  assert.equal(Object.keys(lines[2] ?? {}).length, 4 + MAX_LOG_FIELDS);
});

Deno.test("no secret reaches the file or the terminal", async () => {
  await using at = await fixture();
  const secret = "f00dfeedf00dfeed";
  const shown: string[] = [];
  const console: ConsoleSink = {
    format: (record) => formatRecord(record, { colour: false }),
    write: (text) => Promise.resolve(void shown.push(text)),
  };
  const log = at.open({ secrets: () => [secret], console });
  const fields: LogFields[] = [
    { token: secret },
    { authToken: "another" },
    { password: "another" },
    { authorization: "Bearer another1" },
    { apiKey: "another" },
    { signature: "another" },
    { nonce: "another" },
    { cookie: "another" },
    { url: `/x?token=another&y=${secret}` },
    { error: `Error: no answer from http://me:another@host/${secret}` },
    { [secret]: "as a name" },
  ];
  for (const entry of fields) log.write("info", `with ${secret}`, entry);
  log.child(`part`).write("error", secret);
  log.write("info", "counts stay", { inputTokens: 12, hasToken: true });
  await log.close();
  for (const text of [await Deno.readTextFile(at.path), shown.join("")]) {
    assert.ok(!text.includes(secret), text);
    assert.ok(!text.includes("another"), text);
    assert.ok(text.includes(MASK));
  }
  assert.equal((await at.lines()).at(-1)?.inputTokens, 12);
});

Deno.test("the file is moved aside by size and the oldest goes; no line is lost or cut", async () => {
  await using at = await fixture();
  const log = at.open({ maxFileBytes: 1_000, files: 3 });
  for (let count = 0; count < 60; count++) {
    log.write("info", "line", { count, text: "é".repeat(20) });
    if (count % 7 === 0) await log.flush();
  }
  await log.close();
  const counts: unknown[] = [];
  for (const path of [`${at.path}.2`, `${at.path}.1`, at.path]) {
    assert.ok((await Deno.stat(path)).size <= 1_000);
    counts.push(...(await at.lines(path)).map(({ count }) => count));
  }
  assert.deepEqual(
    counts,
    Array.from({ length: counts.length }, (_, at) => 60 - counts.length + at),
  );
  assert.ok(counts.length >= 12, String(counts.length));
  await assert.rejects(Deno.stat(`${at.path}.3`), Deno.errors.NotFound);
});

Deno.test("one line larger than a file still gets written", async () => {
  await using at = await fixture();
  const log = at.open({ maxFileBytes: 10 });
  log.write("info", "one");
  log.write("info", "two");
  await log.close();
  assert.equal((await at.lines())[0]?.message, "two");
  assert.equal((await at.lines(`${at.path}.1`))[0]?.message, "one");
});

Deno.test("a file that ends within a line gets a line end before it grows", async () => {
  await using at = await fixture();
  await Deno.mkdir(join(at.folder, "logs"));
  await Deno.writeTextFile(at.path, '{"cut":');
  const log = at.open();
  log.write("info", "new");
  await log.close();
  const [first, second] = (await Deno.readTextFile(at.path)).split("\n");
  assert.equal(first, '{"cut":');
  assert.equal(JSON.parse(second ?? "").message, "new");
});

Deno.test("a file that is moved away by others is begun anew", async () => {
  await using at = await fixture();
  const log = at.open();
  log.write("info", "one");
  await log.flush();
  await Deno.rename(at.path, `${at.path}.moved`);
  log.write("info", "two");
  await log.close();
  assert.deepEqual((await at.lines()).map(({ message }) => message), ["two"]);
});

Deno.test("lines beyond the bound are dropped, counted, and the log says how many", async () => {
  await using at = await fixture();
  const log = at.open({ maxPendingChars: 1_000 });
  for (let count = 0; count < 100; count++) log.write("info", "line", { count });
  await log.close();
  const lines = await at.lines();
  const last = lines.at(-1);
  const kept = lines.length - 1;
  assert.ok(kept > 5 && kept < 100, String(kept));
  assert.equal(last?.component, "log");
  assert.equal(last?.level, "warn");
  assert.equal(last?.count, 100 - kept);
  assert.deepEqual(lines.slice(0, kept).map(({ count }) => count), [...Array(kept).keys()]);
});

Deno.test("a file that cannot be written loses its lines, which are counted once it can", async () => {
  await using at = await fixture();
  await Deno.mkdir(at.path, { recursive: true });
  const log = at.open();
  log.write("info", "one");
  log.write("info", "two");
  await log.flush();
  await Deno.remove(at.path);
  log.write("info", "three");
  await log.close();
  assert.deepEqual((await at.lines()).map(({ message, count }) => count ?? message), ["three", 2]);
});

Deno.test("a terminal that hangs holds up neither the file nor the one who writes", async () => {
  await using at = await fixture();
  const hang = Promise.withResolvers<void>();
  const console: ConsoleSink = { format: ({ message }) => message, write: () => hang.promise };
  const log = at.open({ console });
  log.write("info", "one");
  const { lines } = await log.tail({ limit: 10, maxBytes: 1_000 });
  assert.equal(lines.length, 1);
  hang.resolve();
  await log.close();
});

Deno.test("a terminal gets one readable line each, coloured only where it is one", async () => {
  for (const isTerminal of [false, true]) {
    const chunks: string[] = [];
    const sink = consoleSink({
      isTerminal: () => isTerminal,
      // A stream may take less than it is given.
      write: (bytes) => {
        const part = bytes.subarray(0, 7);
        chunks.push(new TextDecoder().decode(part));
        return Promise.resolve(part.length);
      },
    });
    const fields = [["port", 18_789], ["path", "/a b"], ["plain", "x"]] as const;
    const record = {
      time: NOW,
      level: "info",
      component: "http",
      message: "ready",
      fields,
    } as const;
    await sink.write(sink.format(record));
    const text = chunks.join("");
    assert.match(text, /^[^\n]+\n$/);
    assert.equal(text.includes("\x1b["), isTerminal && !Deno.noColor);
    // deno-lint-ignore no-control-regex
    const bare = text.replaceAll(/\x1b\[\d+m/g, "");
    assert.match(bare, /^\d\d:\d\d:\d\d INFO {2}http: ready port=18789 path="\/a b" plain=x\n$/);
  }
});

Deno.test("a log goes to no link, other file or folder, but to its own log", async () => {
  await using at = await fixture();
  assert.equal(await logFileProblem(at.path), undefined);
  const log = at.open();
  log.write("info", "one");
  await log.close();
  assert.equal(await logFileProblem(at.path), undefined);
  const other = join(at.folder, "other");
  await Deno.writeTextFile(other, "export PATH=/bin\n");
  assert.match(await logFileProblem(other) ?? "", /something other than a log/);
  await Deno.writeTextFile(other, "");
  assert.equal(await logFileProblem(other), undefined);
  await Deno.symlink(at.path, join(at.folder, "link"));
  assert.match(await logFileProblem(join(at.folder, "link")) ?? "", /is a link/);
  assert.match(await logFileProblem(at.folder) ?? "", /not a regular file/);
});

Deno.test("followers are given what is written, as it is written, until they leave", async () => {
  await using at = await fixture();
  const log = at.open({ secrets: () => ["a-very-secret-token"] });
  const seen: LogRecord[] = [];
  const leave = log.follow((record) => {
    seen.push(record);
    log.write("info", "from a follower");
  });
  log.write("debug", "below the level");
  log.child("runs").write("info", "one\ntwo", { said: "a-very-secret-token", n: 1 });
  leave();
  log.write("info", "later");
  await log.close();
  assert.deepEqual(seen, [{
    time: NOW,
    level: "info",
    component: "runs",
    message: "one\\u{a}two",
    fields: [["said", MASK], ["n", 1]],
  }]);
  assert.equal((await at.lines()).length, 3);
});
