import assert from "node:assert/strict";
import { join } from "node:path";
import { statePaths } from "../../src/config/state_files.ts";
import { assertNothingShown } from "../support/gateway_process.ts";
import { requestPairing } from "../unit/cli/pairing_request.ts";
import { testInTempFolder as test } from "../support/temp_folder.ts";

/** The repository's root. */
const ROOT = new URL("../../", import.meta.url).pathname;

/** The embedded model answers this with a number every few milliseconds. */
const LONG = "count to 1000";

/** What a started gateway process is. */
interface Served extends AsyncDisposable {
  readonly url: string;
  readonly stateDir: string;
  readonly port: string;
  /** Sends a signal and returns how the process ended and all that it printed. */
  stop(signal?: Deno.Signal): Promise<{ code: number; stdout: string; stderr: string }>;
}

function environment(extra: Record<string, string> = {}): Record<string, string> {
  const kept = ["PATH", "HOME", "DENO_DIR", "TMPDIR"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return { ...Object.fromEntries(kept), NO_COLOR: "1", ...extra };
}

function command(
  args: readonly string[],
  options: { readonly entry?: string; readonly env?: Record<string, string> } = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", join(ROOT, options.entry ?? "cli.ts"), ...args],
    clearEnv: true,
    env: environment(options.env),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Starts the real gateway on a free port and waits for the line that names it. */
async function serve(stateDir: string, entry = "mod.ts"): Promise<Served> {
  const args = ["serve", "--port", "0", "--state-dir", stateDir];
  const process = command(args, { entry }).spawn();
  const out = follow(process.stdout);
  const err = follow(process.stderr);
  const found = await Promise.race([
    out.until(/listening on (ws:\/\/127\.0\.0\.1:(\d+))\n/),
    process.status.then(() => undefined),
  ]);
  if (found === undefined) assert.fail(`the gateway did not start: ${await err.all}`);
  const [, url = "", port = ""] = found;
  const token = (await Deno.readTextFile(statePaths(stateDir).token).catch(() => "")).trim();
  const stop = async (signal: Deno.Signal = "SIGTERM") => {
    try {
      process.kill(signal);
    } catch {
      // It has ended already.
    }
    const [{ code }, stdout, stderr] = await Promise.all([process.status, out.all, err.all]);
    await assertNothingShown({ stateDir, token, out: stdout, err: stderr });
    return { code, stdout, stderr };
  };
  return {
    url,
    port,
    stateDir,
    stop,
    [Symbol.asyncDispose]: async () => void await stop("SIGKILL"),
  };
}

/** Collects a stream while it grows. */
function follow(stream: ReadableStream<Uint8Array>) {
  let text = "";
  let wake = Promise.withResolvers<void>();
  let ended = false;
  const all = (async () => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      wake.resolve();
      wake = Promise.withResolvers();
    }
    ended = true;
    wake.resolve();
    return text;
  })();
  return {
    all,
    async until(pattern: RegExp): Promise<RegExpExecArray | undefined> {
      for (;;) {
        const match = pattern.exec(text);
        if (match !== null) return match;
        if (ended) return undefined;
        await wake.promise;
      }
    },
  };
}

/** Runs one command to its end. */
async function cli(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await command(args, { env }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** How the commands of this host find the gateway: its folder alone, on whichever port it listens. */
function here(gateway: Served): Record<string, string> {
  return { CLAWGATE_STATE_DIR: gateway.stateDir };
}

test("a first start says where and how to connect; what it says works", async (folder) => {
  await using gateway = await serve(join(folder, "state"));
  const env = here(gateway);
  const token = (await Deno.readTextFile(statePaths(gateway.stateDir).token)).trim();
  const health = await cli(["health"], env);
  assert.equal(health.code, 0, health.stderr);
  assert.match(health.stdout, /^gateway +ok\n/);
  const status = await cli(["status", "--json", "--url", gateway.url, "--token", token]);
  assert.equal(status.code, 0, status.stderr);
  assert.equal(typeof JSON.parse(status.stdout).sessions.count, "number");
  const chat = await cli(["chat", "hello", "there"], env);
  assert.deepEqual([chat.code, chat.stderr], [0, ""]);
  assert.match(chat.stdout, /\S\n$/);
  const call = await cli(
    ["call", "chat.history", "--params", '{"sessionKey":"main"}', "--json"],
    env,
  );
  const texts = JSON.parse(call.stdout).messages.map(({ role }: { role: string }) => role);
  assert.deepEqual(texts, ["user", "assistant"]);
  const wrong = await cli(["health", "--url", gateway.url, "--token", "not-the-token"]);
  assert.equal(wrong.code, 4);
  const unknown = await cli(["call", "no.such.method"], env);
  assert.deepEqual([unknown.code, unknown.stdout], [1, ""]);
  const doctor = await cli(["doctor", "--json"], env);
  assert.equal(doctor.code, 0, doctor.stdout);
  const { code, stdout, stderr } = await gateway.stop();
  assert.equal(code, 0);
  assert(stdout.includes(`${token}  (made at this first start`));
  assert.match(stderr, /^SIGTERM: stopping/m);
  assert.equal((await cli(["health"], env)).code, 3);
  for (const printed of [health, status, chat, call, wrong, unknown, doctor]) {
    assert(!(printed.stdout + printed.stderr).includes(token));
  }
});

test("mod.ts and cli.ts serve alike, and serve is the command when none is named", async (folder) => {
  const first = await serve(join(folder, "a"), "cli.ts");
  const one = await first.stop("SIGINT");
  assert.equal(one.code, 0);
  const again = await serve(join(folder, "a"), "mod.ts");
  const two = await again.stop();
  assert.equal(two.code, 0);
  assert.match(two.stdout, /token +as before/);
  const bare = command(["--port", "0", "--state-dir", join(folder, "b")]).spawn();
  const out = follow(bare.stdout);
  const err = follow(bare.stderr);
  assert(await out.until(/listening on ws:/) !== undefined);
  bare.kill("SIGTERM");
  assert.equal((await bare.status).code, 0);
  await Promise.all([out.all, err.all]);
});

test("settings and token change under the running gateway", async (folder) => {
  await using gateway = await serve(join(folder, "state"));
  const env = here(gateway);
  const set = await cli(["config", "set", "logging.level", "debug"], env);
  assert.equal(set.code, 0, set.stderr);
  assert.match(set.stdout, /It is in effect\./);
  assert.equal((await cli(["config", "get", "logging.level"], env)).stdout, "debug\n");
  // What the gateway takes from the file alone.
  const path = await cli(["config", "set", "control.path", "control.sock"], env);
  assert.match(path.stdout, /It takes effect after a restart of the gateway\./);
  const bad = await cli(["config", "set", "gateway.port", "99999"], env);
  assert.equal(bad.code, 5);
  const before = (await cli(["token", "show"], env)).stdout.trim();
  const rotated = await cli(["token", "rotate"], env);
  assert.equal(rotated.code, 0, rotated.stderr);
  assert.match(rotated.stdout, /refuses the old one from now on/);
  assert.equal((await cli(["health"], env)).code, 0);
  const old = await cli(["health", "--url", gateway.url, "--token", before]);
  assert.equal(old.code, 4);
});

test("a gateway is found where it runs, not where the settings will have it next", async (folder) => {
  const gateway = await serve(join(folder, "state"));
  const env = here(gateway);
  using elsewhere = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const next = String(elsewhere.addr.port);
  const set = await cli(["config", "set", "gateway.port", next], env);
  assert.equal(set.code, 0, set.stderr);
  for (const command of [["health"], ["status"], ["devices", "list"], ["chat", "hello"]]) {
    const { code, stderr } = await cli(command, { ...env, CLAWGATE_PORT: next });
    assert.deepEqual([code, stderr], [0, ""], command.join(" "));
  }
  const doctor = await cli(["doctor"], env);
  assert.equal(doctor.code, 0, doctor.stdout);
  assert(doctor.stdout.includes(`gateway: answers at ${gateway.url}`), doctor.stdout);
  const rotated = await cli(["token", "rotate"], env);
  assert.match(rotated.stdout, /refuses the old one from now on/);
  const wrong = await cli(["health", "--url", `ws://127.0.0.1:${next}`], env);
  assert.equal(wrong.code, 3);
  assert.match(wrong.stderr, /listens at 127\.0\.0\.1:\d+, so its secret was not sent/);
  await gateway.stop("SIGKILL");
  // Its address is still in the file; nobody holds that any more.
  const after = await cli(["token", "rotate"], env);
  assert.match(after.stdout, /It counts when the gateway starts/);
});

test("a token of the settings is replaced under the running gateway", async (folder) => {
  const before = "0123456789abcdef0123456789abcdef";
  const stateDir = join(folder, "state");
  await Deno.mkdir(stateDir);
  const settings = JSON.stringify({ gateway: { auth: { token: before } } });
  await Deno.writeTextFile(join(stateDir, "clawgate.json"), settings);
  await using gateway = await serve(stateDir);
  const env = here(gateway);
  assert.equal((await cli(["health"], env)).code, 0);
  const rotated = await cli(["token", "rotate"], env);
  assert.equal(rotated.code, 0, rotated.stderr);
  assert.match(rotated.stdout, /refuses the old one from now on/);
  assert.equal((await cli(["health"], env)).code, 0);
  assert.equal((await cli(["health", "--url", gateway.url, "--token", before])).code, 4);
});

test("a device is approved at the running gateway", async (folder) => {
  await using gateway = await serve(join(folder, "state"));
  const env = here(gateway);
  const requestId = await requestPairing(statePaths(gateway.stateDir).database, "c");
  assert.match((await cli(["devices", "list"], env)).stdout, /cccccccccccc… +Phone/);
  const approved = await cli(["devices", "approve", requestId.slice(0, 8), "--json"], env);
  assert.equal(approved.code, 0, approved.stderr);
  assert.equal(JSON.parse(approved.stdout).device.deviceId, "c".repeat(64));
  const { pending, paired } = JSON.parse((await cli(["devices", "list", "--json"], env)).stdout);
  assert.deepEqual([pending.length, paired.length], [0, 1]);
  assert.equal((await cli(["devices", "reject", requestId], env)).code, 1);
});

test("Ctrl-C in a chat stops the run, and the program exits with 130", async (folder) => {
  await using gateway = await serve(join(folder, "state"));
  const chat = command(["chat", LONG], { env: here(gateway) }).spawn();
  const out = follow(chat.stdout);
  const err = follow(chat.stderr);
  assert(await out.until(/\S/) !== undefined);
  chat.kill("SIGINT");
  const { code } = await chat.status;
  const [stdout, stderr] = await Promise.all([out.all, err.all]);
  assert.equal(code, 130, stderr);
  assert.match(stderr, /\(stopped\)/);
  assert.doesNotMatch(stdout, /\b1000\b/);
});

test("a port in use is named with the program that has it", async (folder) => {
  await using gateway = await serve(join(folder, "a"));
  const second = await cli(["serve", "--port", gateway.port, "--state-dir", join(folder, "b")]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /another program has the port/);
  if (Deno.build.os === "linux") assert.match(second.stderr, /it is pid \d+ \(deno\)/);
});

test("a state folder has one gateway: the second start fails and leaves the first as it is", async (folder) => {
  const stateDir = join(folder, "state");
  const gateway = await serve(stateDir);
  const second = await cli(["serve", "--port", "0", "--state-dir", stateDir]);
  assert.deepEqual([second.code, second.stdout], [1, ""]);
  assert(second.stderr.includes(`the state folder ${stateDir} is in use by another gateway (pid `));
  assert.equal((await cli(["health"], here(gateway))).code, 0);
  await gateway.stop("SIGKILL");
  await using again = await serve(stateDir);
  assert.equal((await cli(["health"], here(again))).code, 0);
});

test("the other address of localhost must be free, too", async (folder) => {
  let other: Deno.TcpListener;
  try {
    other = Deno.listen({ hostname: "::1", port: 0 });
  } catch {
    return;
  }
  const port = String(other.addr.port);
  const started = await cli(["serve", "--port", port, "--state-dir", join(folder, "state")]);
  other.close();
  assert.equal(started.code, 1);
  assert.match(started.stderr, /cannot listen on ::1:\d+: another program has the port/);
  if (Deno.build.os === "linux") assert(started.stderr.includes(`it is pid ${Deno.pid} `));
});

test("settings that are not valid end the start with 5", async (folder) => {
  await Deno.writeTextFile(join(folder, "clawgate.json"), '{ gateway: { port: "x" } }');
  const started = await cli(["serve", "--state-dir", folder]);
  assert.equal(started.code, 5);
  assert.match(started.stderr, /gateway\.port must be a whole number/);
  assert.equal((await cli(["serve", "--port", "x", "--state-dir", join(folder, "b")])).code, 2);
});

test("a reader that goes away ends the program quietly", async (folder) => {
  await using gateway = await serve(join(folder, "state"));
  const chat = command(["chat", LONG], { env: here(gateway) })
    .spawn();
  const err = follow(chat.stderr);
  const reader = chat.stdout.getReader();
  await reader.read();
  await reader.cancel();
  assert.equal((await chat.status).code, 141);
  assert.equal(await err.all, "");
});
