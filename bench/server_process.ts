/** Servers under load: the real gateway in a state folder of its own, and its baseline. */

import { fileURLToPath } from "node:url";
import { elapsed, within } from "./deadline.ts";
import { COLLECT_SIGNAL, type EchoKind } from "./echo_protocol.ts";
import { cpuMicros, residentBytes } from "./process_meter.ts";

/** How long a server has to end on its own, in milliseconds, before it is killed. */
const STOP_GRACE_MS = 3_000;

/** How much of what a server complained of is shown when it does not start. */
const MAX_COMPLAINT_CHARS = 2_000;

/** A server in a process of its own. Dispose of it to end the process. */
export interface ServerProcess extends AsyncDisposable {
  /** Where it listens, e.g. `ws://127.0.0.1:40000`. */
  readonly url: string;
  /** When the process was asked for, on the clock of `performance.now()`. */
  readonly spawnedAt: number;
  /** From then until it said that it listens, in milliseconds. */
  readonly listeningMs: number;
  /** Processor time so far, in microseconds. */
  cpu(): number;
  /** Resident memory now, in bytes. */
  resident(): number;
}

/** An echo. */
export interface EchoProcess extends ServerProcess {
  /** Has its runtime collect all garbage, as a gateway does when it rests. */
  collect(): Promise<void>;
}

/** How long a collection may take, in milliseconds. */
const COLLECTION_MS = 500;

/** A gateway under load. */
export interface GatewayProcess extends ServerProcess {
  readonly token: string;
}

/** Starts a server that only echoes; a gateway is compared with the bare `ws` one. */
export async function startEcho(kind: EchoKind = "ws"): Promise<EchoProcess> {
  const server = await startServer(["run", "-A", local("./echo_server.ts"), kind]);
  const collect = async (): Promise<void> => {
    server.signal(COLLECT_SIGNAL);
    await elapsed(COLLECTION_MS);
  };
  return { ...server, collect };
}

/** Starts a server that echoes lines over TCP; its `url` is a `tcp://` address. */
export function startLineEcho(): Promise<ServerProcess> {
  return startServer(["run", "-A", local("./line_echo_server.ts")]);
}

/** Starts a server that echoes bytes over TCP, without frames; its `url` is a `tcp://` address. */
export function startBareEcho(): Promise<ServerProcess> {
  return startServer(["run", "-A", local("./bare_echo_server.ts")]);
}

/** Starts a server that writes to all its connections at a byte of one; its `url` is a `tcp://` address. */
export function startBareWrites(): Promise<ServerProcess> {
  return startServer(["run", "-A", local("./bare_write_server.ts")]);
}

/** Starts a provider of the OpenAI-compatible kind that can count; its `url` is an http address. */
export function startProvider(): Promise<ServerProcess> {
  return startServer(["run", "-A", local("./provider_server.ts")]);
}

/**
 * Starts the gateway as its users do, in a new state folder that is removed in the end, or in
 * `stateDir`, which is kept. `settings` becomes its `clawgate.json`.
 */
export async function startGatewayProcess(
  options: { readonly settings?: unknown; readonly stateDir?: string } = {},
): Promise<GatewayProcess> {
  const stateDir = options.stateDir ?? await Deno.makeTempDir({ prefix: "clawgate-bench-" });
  const remove = async () => {
    if (options.stateDir === undefined) await Deno.remove(stateDir, { recursive: true });
  };
  try {
    if (options.settings !== undefined) {
      await Deno.writeTextFile(`${stateDir}/clawgate.json`, JSON.stringify(options.settings), {
        mode: 0o600,
      });
    }
    const program = local("../mod.ts");
    const server = await startServer(["run", "-A", program], {
      CLAWGATE_PORT: "0",
      CLAWGATE_STATE_DIR: stateDir,
    });
    const token = (await Deno.readTextFile(`${stateDir}/token`)).trim();
    return {
      ...server,
      token,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Runs Deno and waits for the line that names the server's address. */
async function startServer(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess & { readonly signal: (name: Deno.Signal) => void }> {
  const spawnedAt = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    env: { ...plainEnvironment(), ...env },
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const complaints = tailOf(child.stderr);
  const stop = async () => {
    signal(child, "SIGTERM");
    const timer = setTimeout(() => signal(child, "SIGKILL"), STOP_GRACE_MS);
    await output.cancel();
    await child.status;
    await complaints;
    clearTimeout(timer);
  };
  try {
    const url = await within("a server to listen", addressIn(output));
    return {
      url,
      spawnedAt,
      listeningMs: performance.now() - spawnedAt,
      cpu: () => cpuMicros(child.pid),
      resident: () => residentBytes(child.pid),
      signal: (name) => signal(child, name),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw new Error(`no server from deno ${args.join(" ")}: ${await complaints}`, { cause: error });
  }
}

/** Reads to the end and keeps the last {@linkcode MAX_COMPLAINT_CHARS} characters. */
async function tailOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  let tail = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    tail = (tail + text).slice(-MAX_COMPLAINT_CHARS);
  }
  return tail;
}

async function addressIn(output: ReadableStreamDefaultReader<string>): Promise<string> {
  let text = "";
  for (;;) {
    const { value, done } = await output.read();
    if (done) throw new Error(`a server ended before it listened; it said: ${text}`);
    text += value;
    const address = /^listening on (\S+)\n/m.exec(text)?.[1];
    if (address !== undefined) return address;
  }
}

/** The environment without what would change the gateway's settings. */
function plainEnvironment(): Record<string, string> {
  const entries = Object.entries(Deno.env.toObject());
  return Object.fromEntries(entries.filter(([name]) => !name.startsWith("CLAWGATE_")));
}

function signal(child: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    child.kill(name);
  } catch {
    // It has ended already.
  }
}

function local(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

/** Gives the processor a moment to finish what the last round left to do. */
export async function settle(): Promise<void> {
  await elapsed(50);
}
