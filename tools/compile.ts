/**
 * Builds the single binary `dist/clawgate`: one bundle of all modules and packages, then the runtime
 * with that bundle inside. The second step fetches the runtime's base once.
 *
 * With `--check` no network is needed: this very runtime stands in for the base. Such a file shows
 * that everything resolves and embeds, but it cannot be started; the bundle is started instead, with
 * neither the sources nor their packages within reach, and asked for its health.
 */

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);
const BUNDLE = `${ROOT}dist/clawgate.js`;
const BINARY = `${ROOT}dist/clawgate${Deno.build.os === "windows" ? ".exe" : ""}`;

/** How long the bundle may take until it listens, in milliseconds; a busy machine needs seconds. */
const START_DEADLINE_MS = 30_000;

/** Nothing but the bundle itself may be loaded. */
const ALONE = ["--no-config", "--no-lock", "--no-npm", "--no-remote"];

const check = Deno.args.includes("--check");
await Deno.mkdir(`${ROOT}dist`, { recursive: true });
await run(["bundle", "--minify", "--external", "*.node", "--output", BUNDLE, "mod.ts"]);
await run(
  ["compile", "--allow-all", "--no-config", "--no-lock", "--output", BINARY, BUNDLE],
  check ? { DENORT_BIN: Deno.execPath() } : {},
);
if (check) {
  await Deno.remove(BINARY);
  await startBundle();
  console.log("the bundle embeds, starts and answers");
}

/** Runs one command of this runtime in the repository's root; throws when it fails. */
async function run(args: readonly string[], env: Record<string, string> = {}): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT, env });
  const { success, code } = await command.spawn().status;
  if (!success) throw new Error(`deno ${args.join(" ")} ended with ${code}; see its output above`);
}

/** Starts the bundle in an empty folder, asks for `/healthz`, and ends it. */
async function startBundle(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clawgate-compile-" });
  await using process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", ...ALONE, BUNDLE, "serve", "--port", "0", "--state-dir", folder],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const deadline = setTimeout(() => process.kill("SIGKILL"), START_DEADLINE_MS);
  try {
    const address = await listeningAddress(process.stdout);
    const response = await fetch(`http://${address}/healthz`);
    if (!response.ok) {
      throw new Error(`/healthz answered ${response.status}: ${await response.text()}`);
    }
    await response.body?.cancel();
    process.kill("SIGTERM");
    const { code } = await process.status;
    if (code !== 0) throw new Error(`the bundle ended with ${code} after SIGTERM`);
  } finally {
    clearTimeout(deadline);
    await Deno.remove(folder, { recursive: true });
  }
}

/** Reads until the gateway says where it listens; throws with what it said when it ends before. */
async function listeningAddress(stdout: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const reader = stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the bundle ended before it listened; it said: ${text}`);
    text += value;
    const address = /listening on ws:\/\/(\S+)\s/.exec(text)?.[1];
    if (address === undefined) continue;
    // The rest is read away, so that the gateway never waits for its reader.
    void drain(reader);
    return address;
  }
}

async function drain(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  while (!(await reader.read()).done);
}
