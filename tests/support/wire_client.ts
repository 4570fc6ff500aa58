/** A small client of the OpenClaw wire over a WebSocket that is not ours: npm `ws` or the platform's. */

// @ts-types="@types/ws"
import { WebSocket as WsSocket } from "ws";
import { within } from "./deadline.ts";
import type { TestDevice } from "./device_key.ts";
import { SECRETS } from "./secret_watch.ts";

/** Whose WebSocket to speak through. */
export type Library = "ws" | "platform";

export const LIBRARIES: readonly Library[] = ["ws", "platform"];

type Json = Record<string, unknown>;

/** What JSON held, unchecked: the tests assert its shape. */
export type Parsed = ReturnType<typeof JSON.parse>;

/** A frame that the gateway sent; members are checked by the tests. */
export interface ServerFrame {
  readonly type: string;
  readonly id?: unknown;
  readonly ok?: boolean;
  readonly payload?: Parsed;
  readonly error?: ErrorShape;
  readonly event?: string;
  readonly seq?: number;
  readonly stateVersion?: { readonly presence: number; readonly health: number };
}

export interface ErrorShape {
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
}

/** How a connection ended. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** A request was answered with an error. */
export class Refused extends Error {
  readonly error: ErrorShape;

  constructor(error: ErrorShape) {
    super(`${error.code}: ${error.message}`);
    this.error = error;
  }
}

export interface OpenOptions {
  readonly library?: Library;
  /** For `ws` alone: headers of the upgrade, and the address to speak from. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly localAddress?: string;
}

export interface ConnectOptions {
  readonly token?: string;
  readonly password?: string;
  readonly scopes?: readonly string[];
  readonly role?: string;
  /** Signs the challenge. */
  readonly device?: TestDevice;
  /** Laid over the parameters last. */
  readonly extra?: Json;
}

/** One connection. */
export class WireClient implements AsyncDisposable {
  /** Everything received, in order. */
  readonly frames: ServerFrame[] = [];
  readonly closed: Promise<Closing>;
  readonly #socket: WsSocket | WebSocket;
  readonly #watchers = new Set<() => void>();
  #ids = 0;
  #closing: Closing | undefined;

  private constructor(socket: WsSocket | WebSocket) {
    this.#socket = socket;
    const closed = Promise.withResolvers<Closing>();
    this.closed = closed.promise;
    const take = (data: unknown) => {
      if (typeof data !== "string") return;
      const frame: ServerFrame = JSON.parse(data);
      learn(frame, data);
      this.frames.push(frame);
      for (const watcher of [...this.#watchers]) watcher();
    };
    const end = (code: number, reason: string) => {
      this.#closing = { code, reason };
      SECRETS.refused(reason);
      closed.resolve(this.#closing);
      for (const watcher of [...this.#watchers]) watcher();
    };
    if (socket instanceof WebSocket) {
      socket.onmessage = ({ data }) => take(data);
      socket.onerror = (event) => event.preventDefault();
      socket.onclose = ({ code, reason }) => end(code, reason);
    } else {
      socket.on("message", (data, isBinary) => take(isBinary ? undefined : data.toString()));
      socket.on("error", () => {});
      socket.on("close", (code, reason) => end(code, reason.toString()));
    }
  }

  /** Opens a connection and waits for the challenge; rejects when it closes before. */
  static async open(url: string, options: OpenOptions = {}): Promise<WireClient> {
    const client = WireClient.dial(url, options);
    try {
      await client.event("connect.challenge");
      return client;
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts a connection and waits for nothing. */
  static dial(url: string, options: OpenOptions = {}): WireClient {
    const { library = "ws", headers, localAddress } = options;
    return new WireClient(
      library === "platform" ? new WebSocket(url) : new WsSocket(url, { headers, localAddress }),
    );
  }

  /** Opens a connection and comes in. */
  static async connect(
    url: string,
    options: OpenOptions & ConnectOptions,
  ): Promise<WireClient> {
    const client = await WireClient.open(url, options);
    try {
      await client.connect(options);
      return client;
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The nonce of the challenge. */
  get nonce(): string {
    return this.frames[0]?.payload.nonce;
  }

  /** The events received so far, of one name or all. */
  events(name?: string): ServerFrame[] {
    return this.frames.filter(({ type, event }) =>
      type === "event" && (name === undefined || event === name)
    );
  }

  /** Sends `connect` and returns hello-ok. Rejects with {@linkcode Refused}. */
  async connect(options: ConnectOptions): Promise<Parsed> {
    return await this.call("connect", await connectParams(options, this.nonce));
  }

  /** Sends a request and returns the payload of its first answer. Rejects with {@linkcode Refused}. */
  async call(method: string, params?: unknown): Promise<Parsed> {
    const frame = await this.request(method, params);
    if (frame.ok !== true) throw new Refused(frame.error ?? { code: "", message: "no error" });
    return frame.payload;
  }

  /** Sends a request and returns its first answer, whatever it is. */
  async request(method: string, params?: unknown): Promise<ServerFrame> {
    const id = this.post(method, params);
    return await this.frame((frame) => frame.type === "res" && frame.id === id, {
      what: `the answer to ${method}`,
    });
  }

  /** Sends a request, waits for nothing and returns its id. */
  post(method: string, params?: unknown): string {
    const id = `r${++this.#ids}`;
    if (method === "connect") SECRETS.addMembers("a connect", params);
    this.send(JSON.stringify({ type: "req", id, method, params }));
    return id;
  }

  /** Sends a message as it is; without effect once the connection is closing. */
  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(data);
  }

  /** The first frame that matches, among those received from index `from` on or still to come. */
  async frame(
    matches: (frame: ServerFrame) => boolean,
    options: { readonly from?: number; readonly what?: string; readonly patienceMs?: number } = {},
  ): Promise<ServerFrame> {
    const { what = "a frame", patienceMs } = options;
    let next = options.from ?? 0;
    const found = Promise.withResolvers<ServerFrame>();
    const look = () => {
      for (; next < this.frames.length; next++) {
        const frame = this.frames[next];
        if (frame !== undefined && matches(frame)) return found.resolve(frame);
      }
      if (this.#closing === undefined) return;
      const { code, reason } = this.#closing;
      found.reject(new Error(`closed with ${code} ${reason} before ${what}`));
    };
    this.#watchers.add(look);
    try {
      look();
      return await within(found.promise, what, patienceMs);
    } finally {
      this.#watchers.delete(look);
    }
  }

  /** The first event of this name whose payload matches. */
  async event(
    name: string,
    matches: (payload: Parsed) => boolean = () => true,
    options: { readonly from?: number; readonly patienceMs?: number } = {},
  ): Promise<ServerFrame> {
    const wanted = (frame: ServerFrame) => frame.event === name && matches(frame.payload);
    return await this.frame(wanted, { ...options, what: `the event ${name}` });
  }

  /** Waits for the end of the connection. */
  async end(patienceMs?: number): Promise<Closing> {
    return await within(this.closed, "the connection to close", patienceMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing === undefined) {
      if (this.#socket instanceof WebSocket) this.#socket.close();
      else this.#socket.terminate();
    }
    await this.end();
  }
}

/** Remembers the secrets that a frame hands out, and what it refuses. */
function learn({ event, payload, error }: ServerFrame, text: string): void {
  if (error !== undefined) SECRETS.refused(text);
  if (event === "connect.challenge") SECRETS.add("the nonce of a challenge", payload?.nonce);
  SECRETS.add("a device token of hello-ok", payload?.auth?.deviceToken);
  if (payload?.deviceId !== undefined) SECRETS.add("a rotated device token", payload.token);
}

/** The parameters of `connect` as a test client sends them. */
export async function connectParams(options: ConnectOptions, nonce: string): Promise<Json> {
  const { token, password, scopes, role, device } = options;
  return {
    minProtocol: 3,
    maxProtocol: 3,
    client: { id: "test", version: "1.0", platform: "linux", mode: "test" },
    role,
    scopes,
    auth: token === undefined && password === undefined ? undefined : { token, password },
    device: device && await device.claim({ role, scopes, token, signedAt: Date.now(), nonce }),
    ...options.extra,
  };
}

/** The error that a promise is refused with. */
export async function refusalOf(promise: Promise<unknown>): Promise<ErrorShape> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Refused) return error.error;
    throw error;
  }
  throw new Error("it was not refused");
}

/** An error answer to `connect` and the close behind it. */
export async function refusedConnect(
  url: string,
  options: OpenOptions & ConnectOptions,
): Promise<{ readonly error: ErrorShape; readonly closing: Closing }> {
  await using client = await WireClient.open(url, options);
  const error = await refusalOf(client.connect(options));
  return { error, closing: await client.end() };
}
