/** The whole gateway in memory: its composition root on a manual clock, a scripted model and links that a test holds. */

import { createMemoryStore } from "../../src/adapters/memory_store.ts";
import { createGateway, type Gateway } from "../../src/app.ts";
import { type Config, resolveSecret, settingsCodec } from "../../src/config.ts";
import type { SettingsCodec } from "../../src/services/settings_codec.ts";
import type { Link, LinkListener, Outgoing } from "../../src/core/link.ts";
import type { ServerSocket } from "../../src/core/websocket.ts";
import { socketOf } from "./link_socket.ts";
import type { SettingsFile, SettingsText } from "../../src/ports/settings_file.ts";
import type { Store } from "../../src/ports/store.ts";
import { CountingRandom } from "./counting_random.ts";
import { ManualClock, settle } from "./manual_clock.ts";
import { MemoryLog } from "./memory_log.ts";
import { ScriptedModel } from "./scripted_model.ts";

/** The shared token of a stage whose settings do not bring their own secret. */
export const STAGE_TOKEN = "stage-token-0001";

/** The first is the one that settings name which say nothing of models. */
const STAGE_MODELS = [
  { id: "assistant", name: "Assistant", provider: "local", contextWindow: 100_000 },
  { id: "two", name: "Two", provider: "fake" },
] as const;

/** Turns of the event loop in which work that needs no time (digests, signatures) comes to its end. */
const QUIET_TURNS = 12;

/** Where a client of the stage comes from. */
export interface StagePeer {
  /** Default 127.0.0.1. */
  readonly ip?: string;
  /** Default `127.0.0.1:18789`. */
  readonly host?: string;
  readonly origin?: string;
}

/** A settings file that is a string. */
export class MemorySettingsFile implements SettingsFile {
  readonly path = "/state/clawgate.json";
  raw: string | undefined;

  constructor(raw?: string) {
    this.raw = raw;
  }

  read(): Promise<SettingsText> {
    return Promise.resolve({ path: this.path, raw: this.raw });
  }

  write(raw: string): Promise<void> {
    this.raw = raw;
    return Promise.resolve();
  }
}

/** The client's end of a connection: what came, how it ended, and a network that can stand still. */
export class StageLink implements Link {
  /** Messages that the client has received and not read yet. */
  readonly inbox: string[] = [];
  /** The close that the gateway asked for. */
  closedWith: { readonly code: number; readonly reason: string } | undefined;
  terminated = false;
  paused = false;
  buffered = 0;
  readonly #held: string[] = [];
  #stalled = false;
  #listener: LinkListener | undefined;
  #over = false;

  attach(listener: LinkListener): void {
    this.#listener = listener;
  }

  send(data: Outgoing): void {
    if (this.#over) return;
    const text = data instanceof Uint8Array ? new TextDecoder().decode(data) : String(data);
    if (!this.#stalled) {
      this.inbox.push(text);
      return;
    }
    this.#held.push(text);
    this.buffered += text.length;
  }

  close(code: number, reason: string): void {
    if (this.#over) return;
    this.closedWith = { code, reason };
    // A client that does not read does not answer the close either.
    if (!this.#stalled) this.#end(code, reason);
  }

  terminate(): void {
    if (this.#over) return;
    this.terminated = true;
    this.#end(1006, "");
  }

  allow(): void {}

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** Whether neither side can send any more. */
  get over(): boolean {
    return this.#over;
  }

  /** The client sends a message; one that is paused or over sends nothing. */
  receive(data: string | Uint8Array): void {
    if (this.paused) throw new Error("the gateway does not read from this connection now");
    if (!this.#over) this.#listener?.message(data);
  }

  /** The network takes nothing more from the gateway. */
  stall(): void {
    this.#stalled = true;
  }

  /** The network takes everything again. */
  drain(): void {
    this.#stalled = false;
    this.inbox.push(...this.#held.splice(0));
    this.buffered = 0;
    this.#listener?.drained();
    if (this.closedWith !== undefined) this.#end(this.closedWith.code, this.closedWith.reason);
  }

  /** The client goes away. */
  drop(code: number = 1006): void {
    this.#end(code, "");
  }

  #end(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    queueMicrotask(() => this.#listener?.closed(code, reason));
  }
}

/** What a stage is made with. */
export interface StageOptions {
  /** The text of the settings file; absent: there is none. */
  readonly settings?: string;
  /** The stage whose gateway was stopped before: its store, file, clock, model and log go on. */
  readonly after?: GatewayStage;
  /** In place of a store in memory. */
  readonly store?: Store;
}

/** A gateway that runs without disk, network or time of its own. */
export class GatewayStage {
  readonly clock: ManualClock;
  readonly random: CountingRandom;
  readonly model: ScriptedModel;
  readonly log: MemoryLog;
  readonly file: MemorySettingsFile;
  readonly store: Store;
  readonly gateway: Gateway;

  private constructor(
    { settings, after, store }: StageOptions,
    { config, codec }: { readonly config: Config; readonly codec: SettingsCodec<Config> },
  ) {
    this.clock = after?.clock ?? new ManualClock();
    this.random = after?.random ?? new CountingRandom();
    this.model = after?.model ?? new ScriptedModel(STAGE_MODELS);
    this.log = after?.log ?? new MemoryLog();
    this.file = after?.file ?? new MemorySettingsFile(settings);
    this.store = store ?? after?.store ?? createMemoryStore();
    const own = config.gateway.auth.token ?? config.gateway.auth.password;
    this.gateway = createGateway({
      clock: this.clock,
      random: this.random,
      store: this.store,
      log: this.log,
      logs: {
        tail: () =>
          Promise.resolve({
            file: "/state/logs/clawgate.log",
            cursor: 0,
            size: 0,
            lines: [],
            truncated: false,
            reset: false,
          }),
      },
      settingsFile: this.file,
      settingsCodec: codec,
      config,
      secret: (auth) => {
        const { mode, token, password } = resolveSecret({
          flags: {},
          env: {},
          auth,
          ...(own === undefined ? { stateToken: STAGE_TOKEN } : {}),
        });
        return { mode, token: token?.value, password: password?.value };
      },
      keyring: "0123456789abcdef0123456789abcdef0123456789abcdef",
      server: {
        version: "2026.11.22",
        host: "stage",
        platform: "linux",
        configPath: this.file.path,
        stateDir: "/state",
      },
      hostNames: ["stage"],
      models: this.model,
    });
  }

  /** Makes a gateway that is not started. */
  static async make(options: StageOptions = {}): Promise<GatewayStage> {
    const codec = await settingsCodec({ format: "json5", env: {} });
    const text = options.after?.file.raw ?? options.settings ?? "";
    const reading = codec.read(text);
    if (!reading.ok) throw new Error(`the stage's settings: ${reading.message}`);
    const { config, issues } = codec.parse(reading.text.document);
    if (issues.length > 0) throw new Error(`the stage's settings: ${JSON.stringify(issues)}`);
    return new GatewayStage(options, { config, codec });
  }

  /** Makes a gateway and starts it. */
  static async start(options: StageOptions = {}): Promise<GatewayStage> {
    const stage = await GatewayStage.make(options);
    await stage.gateway.start();
    await quiet();
    return stage;
  }

  /** Opens a connection, through the routes as a real one; answers with the HTTP status of a refusal. */
  async open(peer: StagePeer = {}): Promise<StageLink | number> {
    const { ip = "127.0.0.1", host = "127.0.0.1:18789", origin } = peer;
    const headers = new Headers({ host });
    if (origin !== undefined) headers.set("origin", origin);
    const accepted: ((socket: ServerSocket) => void)[] = [];
    const response = await this.gateway.serve(new Request("http://gateway.invalid/", { headers }), {
      remoteAddress: ip,
      secure: false,
      upgrade: (accept) => {
        accepted.push(accept);
        return new Response(null);
      },
    });
    const [accept] = accepted;
    if (accept === undefined) return response.status;
    const link = new StageLink();
    accept(socketOf(link));
    return link;
  }
}

/** Lets everything come to its end that needs neither time nor another input. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < QUIET_TURNS; turn++) await nextTurn();
}

/** One turn of the event loop, with all its promises. */
export async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  await settle();
}
