/** A client of the gateway wire (protocol 3) on the platform's WebSocket. */

import { quote } from "../core/quote.ts";
import { CallFailed, ConnectionFailed, foreign } from "./client_error.ts";
import {
  CALL_TIMEOUT_MS,
  type CallOptions,
  CHALLENGE_TIMEOUT_MS,
  CLOSE_TIMEOUT_MS,
  type ClosedConnection,
  CONNECT_TIMEOUT_MS,
  FINISH_TIMEOUT_MS,
  type GatewayClientOptions,
  MAX_EVENT_STREAMS,
  MAX_MESSAGE_CHARS,
  MAX_PENDING_CALLS,
  MAX_UNSENT_BYTES,
  PROTOCOL_VERSION,
  type TwoAnswerOptions,
  type TwoAnswers,
} from "./client_options.ts";
import { connectParams, nonceOf } from "./connect_params.ts";
import { EventStream } from "./event_stream.ts";
import { gatewayUrl } from "./gateway_url.ts";
import { type After, afterTimeout, openSocket } from "./open_socket.ts";
import { type Answer, type CallListener, PendingCalls } from "./pending_calls.ts";
import { type Hello, parseHello, parseServerFrame } from "./server_frame.ts";

/** Ticks that may stay out, with nothing else heard either, before the connection counts as dead. */
const MAX_MISSED_TICKS = 2;
/** Largest `connect` message that a gateway takes before it knows the client, in bytes. */
const MAX_CONNECT_BYTES = 65_536;

/** Close codes of this client; a Web API may send 1000 and the private range only. */
const CLOSE_NORMAL = 1000;
/** What reference clients send when the ticks stay out. */
const CLOSE_TICK_TIMEOUT = 4000;
const CLOSE_TOO_BIG = 4009;

/**
 * One authenticated connection. Made by {@linkcode GatewayClient.connect}; lives until
 * {@linkcode close} or until the peer ends it, and does not reconnect.
 *
 * ```ts ignore
 * await using client = await GatewayClient.connect({ url: "ws://127.0.0.1:18789", token });
 * console.log(await client.call("health"));
 * ```
 */
export class GatewayClient implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #after: After;
  readonly #callTimeoutMs: number;
  readonly #calls: PendingCalls;
  readonly #streams = new Set<EventStream>();
  readonly #closed = Promise.withResolvers<ClosedConnection>();
  readonly #challenged = Promise.withResolvers<string | undefined>();
  #ended: ClosedConnection | undefined;
  #hello: Hello | undefined;
  #nextId = 1;
  #heard = false;
  #missedTicks = 0;
  #stopTickWatch: () => void = () => {};

  private constructor(socket: WebSocket, options: GatewayClientOptions) {
    this.#socket = socket;
    this.#after = options.after ?? afterTimeout;
    this.#calls = new PendingCalls(this.#after);
    this.#callTimeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onerror = () => this.#end({ code: 1006, reason: "" });
    socket.onclose = ({ code, reason }) => this.#end({ code: code === 0 ? 1006 : code, reason });
  }

  /**
   * Opens a connection and authenticates. Waits a moment for the gateway's challenge, then connects
   * with its nonce where a device identity needs it. Throws {@linkcode ConnectionFailed}; no socket
   * stays open then.
   */
  static async connect(options: GatewayClientOptions): Promise<GatewayClient> {
    const url = gatewayUrl(options.url);
    const after = options.after ?? afterTimeout;
    const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    const giveUp = new AbortController();
    const late = new ConnectionFailed(
      "timeout",
      `no greeting from ${url.host} within ${timeoutMs} ms; ` +
        "is it a gateway, and is the network in between in order?",
    );
    const stopTimer = after(timeoutMs, () => giveUp.abort(late));
    const aborted = () => giveUp.abort(new ConnectionFailed("aborted", "connecting was given up"));
    options.signal?.addEventListener("abort", aborted);
    if (options.signal?.aborted) aborted();
    try {
      const socket = await openSocket(url, giveUp.signal);
      const client = new GatewayClient(socket, options);
      try {
        await client.#greet(options, giveUp.signal);
      } catch (error) {
        await client.close();
        throw error;
      }
      return client;
    } finally {
      stopTimer();
      options.signal?.removeEventListener("abort", aborted);
    }
  }

  /** The gateway's greeting. */
  get hello(): Hello {
    if (this.#hello === undefined) throw new TypeError("the connection is not greeted yet");
    return this.#hello;
  }

  /** Resolves once the connection is over, whoever ended it. */
  get closed(): Promise<ClosedConnection> {
    return this.#closed.promise;
  }

  /**
   * Calls a method and returns the payload of its (first) answer. Throws {@linkcode CallFailed} when
   * the gateway answers with an error, {@linkcode ConnectionFailed} when there is no answer.
   */
  call(method: string, params?: unknown, options: CallOptions = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#ask({ method, params, ...options }, {
        answered: (answer) => {
          settle(answer, { method, resolve, reject });
          return false;
        },
        failed: reject,
      });
    });
  }

  /**
   * Calls a method that answers `accepted` at once and its outcome later, as `agent` does. Throws as
   * {@linkcode call} when the first answer is an error or does not come.
   */
  async callTwice(
    method: string,
    params?: unknown,
    options: TwoAnswerOptions = {},
  ): Promise<TwoAnswers> {
    const first = Promise.withResolvers<unknown>();
    const second = Promise.withResolvers<unknown>();
    // Who wants the first answer alone must not be ended by the second one's failure.
    second.promise.catch(() => {});
    let accepted = false;
    this.#ask({ method, params, ...options }, {
      answered: (answer) => {
        if (!accepted && answer.ok && isAccepted(answer.payload)) {
          accepted = true;
          first.resolve(answer.payload);
          return true;
        }
        settle(answer, { method, resolve: first.resolve, reject: first.reject });
        settle(answer, { method, resolve: second.resolve, reject: second.reject });
        return false;
      },
      failed: (error) => {
        first.reject(error);
        second.reject(error);
      },
    });
    return { accepted: await first.promise, finished: second.promise };
  }

  /**
   * The events called `names` (all of them when there are none) from now on. The caller reads the
   * stream or closes it.
   */
  events(...names: readonly string[]): EventStream {
    if (this.#streams.size >= MAX_EVENT_STREAMS) {
      throw new ConnectionFailed(
        "overloaded",
        `${MAX_EVENT_STREAMS} event streams are open; close one`,
      );
    }
    const stream = new EventStream(names, { onClose: () => this.#streams.delete(stream) });
    this.#streams.add(stream);
    if (this.#ended !== undefined) stream.close();
    return stream;
  }

  /** Ends the connection; calls in flight fail as `closed`. Resolves when the peer agreed or was too slow. */
  async close(): Promise<void> {
    if (this.#ended === undefined) {
      const stopTimer = this.#after(
        CLOSE_TIMEOUT_MS,
        () => this.#end({ code: 1006, reason: "the peer did not answer the close" }),
      );
      this.#socket.close(CLOSE_NORMAL);
      await this.closed;
      stopTimer();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #greet(options: GatewayClientOptions, signal: AbortSignal): Promise<void> {
    const stopWaiting = this.#after(
      options.challengeTimeoutMs ?? CHALLENGE_TIMEOUT_MS,
      () => this.#challenged.resolve(undefined),
    );
    const lost = Promise.withResolvers<never>();
    // It may be lost while nobody waits, during the signing.
    lost.promise.catch(() => {});
    const giveUp = () => lost.reject(signal.reason);
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    try {
      const nonce = await Promise.race([this.#challenged.promise, lost.promise]);
      const device = options.device === undefined ? undefined : await options.device(nonce);
      const params = connectParams(options, device);
      const payload = await Promise.race([this.#connectCall(params), lost.promise]);
      const hello = parseHello(payload);
      if (hello === undefined || hello.protocol !== PROTOCOL_VERSION) {
        throw new ConnectionFailed(
          "protocol",
          `the peer's greeting is not one of gateway protocol ${PROTOCOL_VERSION}`,
        );
      }
      this.#hello = hello;
      this.#watchTicks(hello.tickIntervalMs);
    } finally {
      stopWaiting();
      signal.removeEventListener("abort", giveUp);
    }
  }

  async #connectCall(params: unknown): Promise<unknown> {
    try {
      return await this.call("connect", params);
    } catch (error) {
      if (error instanceof CallFailed) {
        throw new ConnectionFailed("refused", `the gateway refused: ${error.message}`, {
          answer: error.answer,
        });
      }
      const ended = this.#ended;
      if (ended === undefined) throw error;
      throw new ConnectionFailed(
        ended.code === 1006 ? "closed" : "refused",
        `the peer closed the connection instead of greeting (${describeClose(ended)})`,
        { closeCode: ended.code },
      );
    }
  }

  #ask(
    request: { readonly method: string; readonly params: unknown } & TwoAnswerOptions,
    listener: CallListener,
  ): void {
    const { method, signal } = request;
    const refusal = this.#refusal(method, signal);
    if (refusal !== undefined) return listener.failed(refusal);
    const id = String(this.#nextId++);
    const text = JSON.stringify({ type: "req", id, method, params: request.params });
    const tooBig = this.#sizeProblem(text, method);
    if (tooBig !== undefined) return listener.failed(tooBig);
    this.#calls.add({
      id,
      method,
      timeoutMs: request.timeoutMs ?? this.#callTimeoutMs,
      finishTimeoutMs: request.finishTimeoutMs ?? FINISH_TIMEOUT_MS,
      ...(signal === undefined ? {} : { signal }),
    }, listener);
    this.#socket.send(text);
  }

  #refusal(method: string, signal: AbortSignal | undefined): ConnectionFailed | undefined {
    if (signal?.aborted) return new ConnectionFailed("aborted", `${quote(method)} was given up`);
    if (this.#ended !== undefined || this.#socket.readyState !== WebSocket.OPEN) {
      return closedBefore(method, this.#ended ?? { code: 1006, reason: "" });
    }
    if (this.#calls.size >= MAX_PENDING_CALLS) {
      return new ConnectionFailed(
        "overloaded",
        `${MAX_PENDING_CALLS} calls are in flight; wait for one before ${quote(method)}`,
      );
    }
    if (this.#socket.bufferedAmount > MAX_UNSENT_BYTES) {
      return new ConnectionFailed(
        "overloaded",
        `the gateway reads too slowly: more than ${MAX_UNSENT_BYTES} bytes wait; try again later`,
      );
    }
    return undefined;
  }

  #sizeProblem(text: string, method: string): ConnectionFailed | undefined {
    const limit = this.#hello?.maxPayload ?? MAX_CONNECT_BYTES;
    if (text.length * 3 <= limit) return undefined;
    const { length } = new TextEncoder().encode(text);
    if (length <= limit) return undefined;
    return new ConnectionFailed(
      "usage",
      `the ${quote(method)} message has ${length} bytes; the gateway takes at most ${limit}`,
    );
  }

  #receive(data: unknown): void {
    this.#heard = true;
    if (typeof data === "string" && data.length > MAX_MESSAGE_CHARS) {
      return this.#abandon({ code: CLOSE_TOO_BIG, reason: "message too big" });
    }
    const frame = parseServerFrame(data);
    switch (frame.type) {
      case "event": {
        const { event } = frame;
        if (event.event === "connect.challenge") this.#challenged.resolve(nonceOf(event.payload));
        for (const stream of this.#streams) stream.push(event);
        return;
      }
      case "answer":
        this.#calls.answer(frame);
        return;
      case "malformed":
        if (frame.id === undefined) return;
        this.#calls.fail(
          frame.id,
          (method) =>
            new ConnectionFailed("protocol", `the answer to ${quote(method)} is malformed`),
        );
        return;
    }
  }

  /** Closes for a reason of our own, without waiting for a peer that may be gone. */
  #abandon(ended: ClosedConnection): void {
    this.#socket.close(ended.code, ended.reason);
    this.#end(ended);
  }

  #end(ended: ClosedConnection): void {
    if (this.#ended !== undefined) return;
    const safe = { code: ended.code, reason: foreign(ended.reason) };
    this.#ended = safe;
    this.#stopTickWatch();
    this.#challenged.resolve(undefined);
    this.#calls.failAll((method) => closedBefore(method, safe));
    for (const stream of [...this.#streams]) stream.close();
    this.#closed.resolve(safe);
  }

  /** One timer for the connection's life, whatever the traffic. */
  #watchTicks(intervalMs: number): void {
    this.#stopTickWatch = this.#after(intervalMs, () => {
      this.#missedTicks = this.#heard ? 0 : this.#missedTicks + 1;
      this.#heard = false;
      if (this.#missedTicks >= MAX_MISSED_TICKS) {
        this.#abandon({ code: CLOSE_TICK_TIMEOUT, reason: "tick timeout" });
      } else {
        this.#watchTicks(intervalMs);
      }
    });
  }
}

function settle(answer: Answer, call: {
  readonly method: string;
  readonly resolve: (payload: unknown) => void;
  readonly reject: (error: Error) => void;
}): void {
  if (answer.ok) call.resolve(answer.payload);
  else call.reject(new CallFailed(call.method, answer.error));
}

function isAccepted(payload: unknown): boolean {
  return typeof payload === "object" && payload !== null && "status" in payload &&
    payload.status === "accepted";
}

function closedBefore(method: string, ended: ClosedConnection): ConnectionFailed {
  return new ConnectionFailed(
    "closed",
    `the connection ended (${describeClose(ended)}) before the answer to ${quote(method)}`,
    { closeCode: ended.code },
  );
}

function describeClose({ code, reason }: ClosedConnection): string {
  return reason === "" ? `code ${code}` : `code ${code}: ${reason}`;
}
