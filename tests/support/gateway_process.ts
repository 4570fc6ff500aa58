/**
 * The real gateway in a process of its own, on a free port, with a state folder of its own. When it
 * ends, all that it has shown is searched for every secret that the test file knows.
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { statePaths } from "../../src/config/state_files.ts";
import { eventually, within } from "./deadline.ts";
import { HeapMeter } from "./heap_meter.ts";
import { rawRequest } from "./raw_socket.ts";
import { SECRETS, type Shown, withoutMadeToken } from "./secret_watch.ts";

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
  /** Opens its inspector, for {@linkcode GatewayProcess.heap}. */
  readonly inspect?: boolean;
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
  readonly #options: GatewayProcessOptions;
  /** What only a living process shows. */
  readonly #shown: Shown[] = [];
  #end: Promise<Deno.CommandStatus> | undefined;
  #searched = false;

  private constructor(parts: {
    child: Deno.ChildProcess;
    output: Output;
    options: GatewayProcessOptions;
    stateDir: string;
    temporary: boolean;
    url: string;
    token: string;
    startedInMs: number;
  }) {
    this.#child = parts.child;
    this.#output = parts.output;
    this.#temporary = parts.temporary;
    this.#options = parts.options;
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
    SECRETS.addMembers("the settings", options.settings);
    SECRETS.add("the token of the environment", options.env?.CLAWGATE_TOKEN);
    const began = performance.now();
    const command = ["serve", "--port", "0", "--state-dir", stateDir, ...options.args ?? []];
    const child = program("mod.ts", command, options).spawn();
    const output = new Output(child);
    try {
      const url = await within(output.listening, "the gateway to listen", START_PATIENCE_MS);
      const startedInMs = performance.now() - began;
      const token = await Deno.readTextFile(join(stateDir, "token")).catch(() => "");
      const own = { stateDir, temporary, url, token: token.trim(), startedInMs, options };
      const gateway = new GatewayProcess({ child, output, ...own });
      await learnSecrets(stateDir);
      gateway.#readTitle();
      return gateway;
    } catch (error) {
      if (output.ended === undefined) child.kill("SIGKILL");
      await output.finished;
      try {
        await assertNothingShown({ stateDir, token: "", out: output.out, err: output.err });
      } finally {
        if (temporary) await Deno.remove(stateDir, { recursive: true });
      }
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

  /** Measures its heap; it must have been started with `inspect`. */
  async heap(): Promise<HeapMeter> {
    const address = /^Debugger listening on (ws:\S+)$/m;
    const url = await eventually(() => address.exec(this.#output.err)?.[1], "the inspector's line");
    return await HeapMeter.open(url);
  }

  /** Processor time used so far, in milliseconds; the clock of the system ticks every 10. */
  async cpuMs(): Promise<number> {
    const stat = await Deno.readTextFile(`/proc/${this.pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** Asks it to stop and returns its exit status. Rejects when it has shown a secret. */
  async stop(): Promise<number> {
    await this.#look();
    this.signal("SIGTERM");
    return (await this.#finish()).code;
  }

  /** Ends it as a power cut would. Rejects when it has shown a secret. */
  async kill(): Promise<void> {
    this.#readTitle();
    this.signal("SIGKILL");
    await this.#finish();
  }

  /** Sends a signal and waits for nothing. */
  signal(signal: Deno.Signal): void {
    if (this.#output.ended === undefined) this.#child.kill(signal);
  }

  /** Ends it at once, if it has not ended. Rejects when it has shown a secret. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#look();
      this.signal("SIGKILL");
      await this.#finish();
    } finally {
      if (this.#temporary) await Deno.remove(this.stateDir, { recursive: true });
    }
  }

  async #finish(): Promise<Deno.CommandStatus> {
    const status = await (this.#end ??= within(this.#output.finished, "the gateway to end"));
    if (!this.#searched) {
      this.#searched = true;
      await this.#search();
    }
    return status;
  }

  /** Searches all that it has shown in its life. */
  async #search(): Promise<void> {
    const { stateDir, token } = this;
    const { out, err } = this.#output;
    await assertNothingShown({ stateDir, token, out, err, shown: this.#shown });
  }

  /** Keeps what is gone once it has ended: its metrics and its title. */
  async #look(): Promise<void> {
    if (this.#output.ended !== undefined || this.#searched) return;
    this.#readTitle();
    for (const secret of await this.#ownSecrets()) {
      const lines = [
        "GET /metrics HTTP/1.1",
        `Host: 127.0.0.1:${this.port}`,
        `Authorization: Bearer ${secret}`,
      ];
      // One that is stopping, or that a test has had refuse everybody, shows none.
      const answer = await rawRequest(this.port, lines).catch(() => undefined);
      if (answer === undefined) return;
      this.#shown.push({ place: "the metrics", text: answer.body });
      if (answer.status === 200) return;
    }
  }

  /** How others on the machine see the process; arguments with a secret in them are the test's own doing. */
  #readTitle(): void {
    if (Deno.build.os !== "linux" || this.#output.ended !== undefined) return;
    const own = this.#options.args ?? [];
    let title: readonly string[];
    try {
      title = Deno.readTextFileSync(`/proc/${this.pid}/cmdline`).split("\0");
    } catch {
      // It has ended a moment ago.
      return;
    }
    const text = title.filter((word) => !own.includes(word)).join(" ");
    this.#shown.push({ place: "the process title", text });
  }

  /** What lets in now, as far as the test has said or the state folder tells. */
  async #ownSecrets(): Promise<ReadonlySet<string>> {
    const { token, password } = authOf(this.#options.settings);
    const kept = await Deno.readTextFile(statePaths(this.stateDir).token).catch(() => "");
    const written = authOf(await settingsIn(this.stateDir));
    const all = [
      this.#options.env?.CLAWGATE_TOKEN,
      written.token,
      written.password,
      token,
      password,
      kept.trim(),
    ];
    return new Set(all.filter((each) => each !== undefined).filter((each) => each !== ""));
  }
}

/** What settings say of the gateway's own secret. */
function authOf(settings: unknown): { readonly token?: string; readonly password?: string } {
  const { gateway }: { gateway?: { auth?: { token?: string; password?: string } } } = Object(
    settings,
  );
  return gateway?.auth ?? {};
}

/** What a gateway that has ended has left behind. */
export interface Remains {
  readonly stateDir: string;
  /** The one that was made when it started, which a first start prints. */
  readonly token: string;
  readonly out: string;
  readonly err: string;
  /** What it showed elsewhere. */
  readonly shown?: readonly Shown[];
}

/** Fails where a gateway has printed, logged, answered or otherwise shown a secret that the test file knows. */
export async function assertNothingShown(remains: Remains): Promise<void> {
  const { stateDir, token, out, err, shown = [] } = remains;
  SECRETS.add("the token that was made", token);
  await learnSecrets(stateDir);
  SECRETS.assertHidden([
    ...shown,
    { place: "stdout", text: withoutMadeToken(out, token) },
    { place: "stderr", text: err },
    ...await logFiles(stateDir),
  ]);
}

/** Remembers the secrets that stand in a state folder now. */
async function learnSecrets(stateDir: string): Promise<void> {
  const { token, deviceKey } = statePaths(stateDir);
  const read = (path: string) => Deno.readTextFile(path).catch(() => "");
  SECRETS.add("the token of the state folder", (await read(token)).trim());
  SECRETS.add("the key of device tokens", (await read(deviceKey)).trim());
  SECRETS.addMembers("the settings file", await settingsIn(stateDir));
}

/** What the settings file holds; undefined where it is absent or in a form that only the gateway reads. */
async function settingsIn(stateDir: string): Promise<unknown> {
  try {
    return JSON.parse(await Deno.readTextFile(join(stateDir, "clawgate.json")));
  } catch {
    return undefined;
  }
}

/** The log of a state folder, with the files that it was in before. */
async function logFiles(stateDir: string): Promise<readonly Shown[]> {
  const folder = dirname(statePaths(stateDir).log);
  const shown: Shown[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (!isFile) continue;
      shown.push({ place: `the log ${name}`, text: await Deno.readTextFile(join(folder, name)) });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return shown;
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
  { env = {}, umask, inspect = false }: Pick<GatewayProcessOptions, "env" | "umask" | "inspect">,
): Deno.Command {
  const inherited = Object.entries(Deno.env.toObject())
    .filter(([name]) => !name.startsWith("CLAWGATE_"));
  const flags = inspect ? ["-A", "--inspect=127.0.0.1:0"] : ["-A"];
  const own = ["run", ...flags, join(PROJECT_ROOT, entry), ...args];
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
      const url = /^listening on (wss?:\S+)$/m.exec(this.out)?.[1];
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
