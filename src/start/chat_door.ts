/** The chat channel's own port: open where and while the settings want it. */

import { type Config, portIssues, type PortPlace } from "../config.ts";
import { describeError } from "../core/error.ts";
import { reachableHost } from "../core/host.ts";
import type { Serve } from "../core/serve.ts";
import { ListenError, type ListenOptions } from "../ports/listener.ts";
import type { Log } from "../ports/log.ts";
import { MAX_CHAT_MESSAGE_BYTES } from "../protocols/chat/codec.ts";
import type { OwnPort } from "../protocols/chat/settings.ts";
import { chatExposure, type ChatSetup, publicIssue, uploadBytes } from "./chat_listener.ts";
import { openPort } from "./open_port.ts";

/** What the port is opened with. */
export interface ChatDoorParts {
  /** Absent: there is no channel, and nothing is ever opened. */
  readonly serve: Serve | undefined;
  readonly log: Log;
  /** The settings as they are now. */
  readonly config: () => Pick<Config, "control" | "channels">;
  readonly overrides: ChatSetup["overrides"];
  /** Where the gateway's own port is. */
  readonly gateway: PortPlace;
  /** The gateway's own; absent: the port speaks plain HTTP. */
  readonly tls: ListenOptions["tls"];
}

/** A port that is open; `host` and `port` are those that the settings named. */
interface Opened extends PortPlace {
  readonly ownPort: number;
  readonly stack: AsyncDisposableStack;
}

/** Opens and closes the port, one step after the other, as the settings change. Disposing closes it for good. */
export class ChatDoor implements AsyncDisposable {
  readonly #parts: ChatDoorParts;
  #opened: Opened | undefined;
  #problem: string | undefined;
  #turn: Promise<void> = Promise.resolve();
  #following = 0;
  #ended = false;

  private constructor(parts: ChatDoorParts) {
    this.#parts = parts;
  }

  /** Opens the port where the settings want it; rejects with a `ListenError`. */
  static async open(parts: ChatDoorParts): Promise<ChatDoor> {
    const door = new ChatDoor(parts);
    await door.#open();
    return door;
  }

  /** How the port stands. */
  get state(): OwnPort {
    return {
      ...(this.#opened === undefined ? {} : { port: this.#opened.ownPort }),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  /** Where it is, such as `ws://127.0.0.1:18800/ws`; undefined while it is closed. */
  get url(): string | undefined {
    const { config, tls } = this.#parts;
    const path = config().channels.websocket?.path;
    if (this.#opened === undefined || path === undefined) return undefined;
    const { host, ownPort } = this.#opened;
    return `${tls === undefined ? "ws" : "wss"}://${reachableHost(host)}:${ownPort}${path}`;
  }

  /**
   * Takes in the settings as they are now, and tries again what failed; resolves when that is done. A port that
   * cannot be opened is told by {@linkcode ChatDoor.state} and in the log.
   */
  follow(): Promise<void> {
    // Whoever waits for its turn already will see these settings.
    if (this.#following > 1) return this.#turn;
    this.#following++;
    const step = async (): Promise<void> => {
      try {
        await this.#step();
      } catch (error) {
        this.#parts.log.write("error", "the chat channel's own port could not be changed", {
          error: describeError(error),
        });
      } finally {
        this.#following--;
      }
    };
    return this.#turn = this.#turn.then(step);
  }

  /** What an operator should know of the channel, a line each. */
  lines(): readonly string[] {
    const { gateway, tls } = this.#parts;
    if (this.#problem !== undefined) {
      return [`the chat channel's own port is closed: ${this.#problem}`];
    }
    const setup = this.#setup();
    const issue = publicIssue(setup);
    if (issue !== undefined) return [`${issue.path} ${issue.message}`];
    return chatExposure(setup, { host: gateway.host, tls: tls !== undefined });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.#turn;
    await this.#close();
  }

  #setup(): ChatSetup {
    const { config, overrides } = this.#parts;
    return { settings: config().channels.websocket, overrides };
  }

  async #step(): Promise<void> {
    if (this.#ended || this.#parts.serve === undefined) return;
    const { settings } = this.#setup();
    const wanted = settings?.enabled === true ? settings : undefined;
    const opened = this.#opened;
    if (opened !== undefined && opened.host === wanted?.host && opened.port === wanted.port) return;
    if (opened !== undefined) {
      await this.#close();
      this.#parts.log.write("info", "the chat channel's own port was closed");
      // Its clients took a while to leave.
      if (this.#ended) return;
    }
    const before = this.#problem;
    this.#problem = wanted === undefined ? undefined : this.#unfit();
    if (wanted !== undefined && this.#problem === undefined) {
      try {
        await this.#open();
      } catch (error) {
        this.#problem = error instanceof ListenError ? error.message : String(error);
      }
    }
    const problem = this.#problem;
    if (problem === undefined || problem === before) return;
    this.#parts.log.write("error", "the chat channel's own port is closed", { reason: problem });
  }

  /** What keeps a start with these settings from opening it. */
  #unfit(): string | undefined {
    const { config, gateway } = this.#parts;
    const issue = publicIssue(this.#setup()) ??
      portIssues(config(), gateway).find(({ path }) => path === "channels.websocket.port");
    return issue === undefined ? undefined : `${issue.path} ${issue.message}`;
  }

  async #open(): Promise<void> {
    const { serve, log, tls } = this.#parts;
    const { settings } = this.#setup();
    if (settings?.enabled !== true || serve === undefined) return;
    const { host, port } = settings;
    await using stack = new AsyncDisposableStack();
    const ownPort = await openPort({ hostname: host, port }, {
      name: "the chat listener",
      remedy: { port: "channels.websocket.port", address: "channels.websocket.host" },
      serve,
      tls,
      maxMessageBytes: MAX_CHAT_MESSAGE_BYTES,
      maxBodyBytes: () => uploadBytes(this.#setup()),
      log,
      opened: stack,
    });
    this.#opened = { host, port, ownPort, stack: stack.move() };
    log.write("info", "the chat channel is listening", { url: this.url });
  }

  async #close(): Promise<void> {
    const { stack } = this.#opened ?? {};
    this.#opened = undefined;
    await stack?.disposeAsync();
  }
}
