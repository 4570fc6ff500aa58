/** The real gateway in a process of its own, on a free port, with a state folder of its own. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { within } from "./deadline.ts";

/** Where the project stands. */
export const PROJECT_ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** How long a start may take before the test gives up, in milliseconds. */
const START_PATIENCE_MS = 30_000;

/** How to start it. */
export interface GatewayProcessOptions {
  /** An existing state folder, which stays; absent: a temporary one, which is removed. */
  readonly stateDir?: string;
  /** Written as `clawgate.json` before the start. */
  readonly settings?: unknown;
  /** Added to the environment; `CLAWGATE_*` of the test's own environment never counts. */
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments besides `serve --port 0 --state-dir …`. */
  readonly args?: readonly string[];
  /** The umask of the process, such as `"000"`. */
  readonly umask?: string;
}

/** How a program ended and what it printed. */
export interface ProgramEnd {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A gateway that runs until it is stopped, killed or disposed of. */
export class GatewayProcess implements AsyncDisposable {
  readonly stateDir: string;
  readonly url: string;
  /** The shared secret in the state folder; empty where settings or environment bring their own. */
  readonly token: string;
  /** From the spawn to the line that says where it listens, in milliseconds. */
  readonly startedInMs: number;
  readonly #child: Deno.ChildProcess;
  readonly #output: Output;
  readonly #temporary: boolean;
  #end: Promise<Deno.CommandStatus> | undefined;

  private constructor(parts: {
    child: Deno.ChildProcess;
    output: Output;
    stateDir: string;
    temporary: boolean;
    url: string;
    token: string;
    startedInMs: number;
  }) {
    this.#child = parts.child;
    this.#output = parts.output;
    this.#temporary = parts.temporary;
    this.stateDir = parts.stateDir;
    this.url = parts.url;
    this.token = parts.token;
    this.startedInMs = parts.startedInMs;
  }

  /** Starts one and waits until it says where it listens. */
  static async start(options: GatewayProcessOptions = {}): Promise<GatewayProcess> {
    const temporary = options.stateDir === undefined;
    const stateDir = options.stateDir ?? await Deno.makeTempDir({ prefix: "gateway-" });
    if (options.settings !== undefined) {
      await Deno.writeTextFile(join(stateDir, "clawgate.json"), JSON.stringify(options.settings));
    }
    const began = performance.now();
    const command = ["serve", "--port", "0", "--state-dir", stateDir, ...options.args ?? []];
    const child = program("mod.ts", command, options).spawn();
    const output = new Output(child);
    try {
      const url = await within(output.listening, "the gateway to listen", START_PATIENCE_MS);
      const startedInMs = performance.now() - began;
      const token = await Deno.readTextFile(join(stateDir, "token")).catch(() => "");
      const own = { stateDir, temporary, url, token: token.trim(), startedInMs };
      return new GatewayProcess({ child, output, ...own });
    } catch (error) {
      if (output.ended === undefined) child.kill("SIGKILL");
      await output.finished;
      if (temporary) await Deno.remove(stateDir, { recursive: true });
      throw new Error(`the gateway did not start: ${output.out}${output.err}`, { cause: error });
    }
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** `http://127.0.0.1:PORT` */
  get httpUrl(): string {
    return this.url.replace(/^ws/, "http");
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** All that it printed so far, both streams. */
  get output(): string {
    return this.#output.out + this.#output.err;
  }

  /** All lines that it has logged to its file so far. */
  async logText(): Promise<string> {
    return await Deno.readTextFile(join(this.stateDir, "logs", "clawgate.log"));
  }

  /** Resident memory in bytes. */
  async residentBytes(): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.pid}/status`);
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** Processor time used so far, in milliseconds; the clock of the system ticks every 10. */
  async cpuMs(): Promise<number> {
    const stat = await Deno.readTextFile(`/proc/${this.pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** Asks it to stop and returns its exit status. */
  async stop(): Promise<number> {
    this.signal("SIGTERM");
    return (await this.#finish()).code;
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#finish();
  }

  /** Sends a signal and waits for nothing. */
  signal(signal: Deno.Signal): void {
    if (this.#output.ended === undefined) this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#output.ended === undefined) await this.kill();
    await this.#finish();
    if (this.#temporary) await Deno.remove(this.stateDir, { recursive: true });
  }

  #finish(): Promise<Deno.CommandStatus> {
    return this.#end ??= within(this.#output.finished, "the gateway to end");
  }
}

/** Runs one of the project's programs to its end. */
export async function runProgram(
  args: readonly string[],
  options: Pick<GatewayProcessOptions, "env" | "umask"> & { readonly entry?: string } = {},
): Promise<ProgramEnd> {
  const child = program(options.entry ?? "cli.ts", args, options).spawn();
  const output = new Output(child);
  try {
    const { code } = await within(output.finished, `the end of ${args.join(" ")}`, 30_000);
    return { code, out: output.out, err: output.err };
  } finally {
    if (output.ended === undefined) {
      child.kill("SIGKILL");
      await output.finished;
    }
  }
}

function program(
  entry: string,
  args: readonly string[],
  { env = {}, umask }: Pick<GatewayProcessOptions, "env" | "umask">,
): Deno.Command {
  const inherited = Object.entries(Deno.env.toObject())
    .filter(([name]) => !name.startsWith("CLAWGATE_"));
  const own = ["run", "-A", join(PROJECT_ROOT, entry), ...args];
  const [command, all] = umask === undefined
    ? [Deno.execPath(), own]
    : ["/bin/sh", ["-c", 'umask "$0"; exec "$@"', umask, Deno.execPath(), ...own]];
  return new Deno.Command(command, {
    args: all,
    cwd: PROJECT_ROOT,
    clearEnv: true,
    env: { ...Object.fromEntries(inherited), NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Collects what a process prints, so that it never waits for a reader. */
class Output {
  out = "";
  err = "";
  ended: Deno.CommandStatus | undefined;
  /** The URL in the line that says where it listens; rejects when the process ends without one. */
  readonly listening: Promise<string>;
  /** Resolves when the process has ended and all it printed was read. */
  readonly finished: Promise<Deno.CommandStatus>;

  constructor(child: Deno.ChildProcess) {
    const heard = Promise.withResolvers<string>();
    heard.promise.catch(() => {});
    this.listening = heard.promise;
    const out = read(child.stdout, (text) => {
      this.out += text;
      const url = /^listening on (ws:\S+)$/m.exec(this.out)?.[1];
      if (url !== undefined) heard.resolve(url);
    });
    const err = read(child.stderr, (text) => this.err += text);
    this.finished = child.status.then(async (status) => {
      this.ended = status;
      await Promise.all([out, err]);
      heard.reject(new Error(`ended with ${status.code}`));
      return status;
    });
  }
}

async function read(stream: ReadableStream<Uint8Array>, take: (text: string) => void) {
  const decoder = new TextDecoder();
  for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
}
