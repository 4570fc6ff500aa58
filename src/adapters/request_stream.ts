/** One HTTP/1.1 connection: requests in order, answers in order, until one becomes a WebSocket. */

import { type RequestHead, RequestHeadReader } from "../core/http_head.ts";
import type { HttpRefusal } from "../core/http_refusal.ts";
import { refusalResponse, switchingProtocols } from "../core/http_response.ts";
import type { Arrival, Serve } from "../core/serve.ts";
import type { ServerSocket } from "../core/websocket.ts";
import { acceptKey } from "../core/websocket_handshake.ts";
import { deadline } from "./deadline.ts";
import type { ByteStream } from "./framed_socket.ts";
import { IncomingBody } from "./incoming_body.ts";
import { writeResponse } from "./response_writer.ts";
import type { TurnBudget } from "./turn_budget.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** How long a connection waits for its client, in milliseconds. */
export interface RequestTimes {
  /** For a whole request head. */
  readonly head: number;
  /** For the next request. */
  readonly keepAlive: number;
  /** For the next bytes of a body, or until an answer is read on. */
  readonly stall: number;
  /** For the end of a refused request, whose rest is read so that the client sees the answer. */
  readonly linger: number;
}

/** The times unless others are given. */
export const REQUEST_TIMES: RequestTimes = {
  head: 10_000,
  keepAlive: 30_000,
  stall: 30_000,
  linger: 500,
};

/** Bytes of a read that waits for a head: thousands of silent connections may have one each. */
const HEAD_READ_BYTES = 1024;

/** Bytes of a read that waits for a body. */
const BODY_READ_BYTES = 32 * 1024;

/** What a connection is served with. */
export interface RequestHouse {
  readonly serve: Serve;
  readonly maxBodyBytes: number;
  /** Told of what a route threw; must not throw. */
  readonly failed: (error: unknown) => void;
  readonly times?: RequestTimes;
  readonly budget: TurnBudget;
}

/** A connection that became a WebSocket. */
export interface Upgraded {
  readonly protocol: string;
  readonly accept: (socket: ServerSocket) => void;
  /** The bound of its messages where it is lower than the listener's. */
  readonly maxMessageBytes?: number;
  /** What came behind the request head. */
  readonly rest: Bytes;
}

/** What becomes of a connection after a request. */
type Outcome = "next" | "over" | Upgraded;

/** A connection as requests come over it. */
export class RequestStream {
  readonly #stream: ByteStream;
  readonly #house: RequestHouse;
  readonly #arrival: Arrival;
  #rest: Bytes = NOTHING;
  readonly #times: RequestTimes;
  readonly #end = Promise.withResolvers<undefined>();
  /** Tells the answer that is being written that its connection is closed. */
  #cutShort: (() => void) | undefined;
  /** The read that watches for the client to leave while it is answered. */
  #ahead: Promise<Bytes | undefined> | undefined;
  /** Aborts what the request that is being answered started. */
  #leaving: AbortController | undefined;
  #idle = true;
  #waitingSince: number | undefined = performance.now();
  #last = false;
  #closed = false;
  #callOff: (() => void) | undefined;

  constructor(
    stream: ByteStream,
    parts: { readonly house: RequestHouse; readonly arrival: Arrival },
  ) {
    this.#stream = stream;
    this.#house = parts.house;
    this.#arrival = parts.arrival;
    this.#times = parts.house.times ?? REQUEST_TIMES;
  }

  /** Since when the client owes the next request, in milliseconds of a monotonic clock; undefined while one is served. */
  get waitingSince(): number | undefined {
    return this.#waitingSince;
  }

  /** Ends the connection with its present request, or now when there is none. */
  finish(): void {
    this.#last = true;
    if (this.#idle) this.close();
  }

  /** Drops the connection. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#end.resolve(undefined);
    this.#cutShort?.();
    this.#leaving?.abort();
    try {
      this.#stream.close();
    } catch {
      // The network was faster.
    }
  }

  /**
   * Serves until the connection is over, and closed, or has become a WebSocket, and is the caller's. Never
   * rejects.
   */
  run(): Promise<Upgraded | undefined> {
    // A route that still thinks about its answer keeps nothing that is closed.
    return Promise.race([this.#serve(), this.#end.promise]);
  }

  async #serve(): Promise<Upgraded | undefined> {
    try {
      let wait = this.#times.head;
      let outcome: Outcome = "next";
      while (outcome === "next" && !this.#closed) {
        const { budget } = this.#house;
        if (budget.spent) await budget.turn();
        const head = await this.#head(wait);
        if (head === undefined) break;
        outcome = "state" in head ? await this.#refuse(head) : await this.#answer(head);
        wait = this.#times.keepAlive;
      }
      this.#callOff?.();
      if (typeof outcome === "object") return outcome;
    } catch {
      // Whatever the network says of a connection that is gone, it is gone.
    }
    this.#callOff?.();
    this.close();
    return undefined;
  }

  /** The next head; undefined when the client left instead. */
  async #head(waitMs: number): Promise<RequestHead | HttpRefusal | undefined> {
    const reader = new RequestHeadReader();
    this.#idle = this.#rest.length === 0;
    this.#waitingSince = performance.now();
    this.#limit(waitMs);
    let bytes = this.#rest.length > 0 ? this.#rest : await this.#read();
    this.#rest = NOTHING;
    if (waitMs !== this.#times.head) this.#limit(this.#times.head);
    for (; bytes !== undefined; bytes = await this.#read()) {
      this.#idle = false;
      const result = reader.push(bytes);
      if (result.state === "refused") return result;
      if (result.state === "head") {
        this.#callOff?.();
        this.#waitingSince = undefined;
        this.#rest = result.rest.length === 0 ? NOTHING : result.rest.slice();
        return result.head;
      }
    }
    return undefined;
  }

  /** Asks the routes and sends what they say. */
  async #answer(head: RequestHead): Promise<Outcome> {
    const body = new IncomingBody(head, {
      maxBytes: this.#house.maxBodyBytes,
      rest: this.#rest,
      read: () => this.#readInTime(),
      proceed: () => this.#write(CONTINUE),
      ended: () => {
        // Whoever gets the stream for a WebSocket must find all that came.
        if (head.upgrade !== "websocket") this.#lookAhead();
      },
    });
    if (body.refusal !== undefined) return await this.#refuse(body.refusal);
    let upgraded: Omit<Upgraded, "rest"> | undefined;
    const switching = new Response(null);
    const arrival: Arrival = head.upgrade !== "websocket" ? this.#arrival : {
      ...this.#arrival,
      upgrade: (accept, options) => {
        const { protocol = "", maxMessageBytes } = options ?? {};
        upgraded = { accept, protocol, maxMessageBytes };
        return switching;
      },
    };
    const response = await this.#ask(head, { body, arrival });
    if (response === switching && upgraded !== undefined) {
      return await this.#upgrade(head, upgraded);
    }
    if (body.refusal !== undefined) return await this.#refuse(body.refusal);
    // What the answer says holds, also when the rest of the body comes while it is written.
    const keepAlive = head.keepAlive && body.finished && !this.#last;
    // A promise of its own: what waits for that of the connection is kept until the connection is over.
    const closed = Promise.withResolvers<void>();
    this.#cutShort = closed.resolve;
    if (this.#closed) closed.resolve();
    const goesOn = await writeResponse(response, {
      request: head,
      keepAlive,
      write: (bytes) => this.#write(bytes),
      closed: closed.promise,
    });
    this.#cutShort = undefined;
    this.#leaving = undefined;
    this.#rest = body.rest;
    if (goesOn && keepAlive) return "next";
    return await this.#linger();
  }

  async #ask(
    head: RequestHead,
    { body, arrival }: { readonly body: IncomingBody; readonly arrival: Arrival },
  ): Promise<Response> {
    const scheme = arrival.secure ? "https" : "http";
    const leaving = this.#leaving = new AbortController();
    if (this.#closed) leaving.abort();
    try {
      const request = new Request(`${scheme}://gateway.invalid${head.target}`, {
        method: head.method,
        headers: head.headers,
        body: body.stream,
        signal: leaving.signal,
      });
      return await this.#house.serve(request, arrival);
    } catch (error) {
      if (!body.broken && !leaving.signal.aborted) this.#house.failed(error);
      return new Response("Internal error", { status: 500 });
    }
  }

  async #upgrade(
    head: RequestHead,
    { accept, protocol, maxMessageBytes }: Omit<Upgraded, "rest">,
  ): Promise<Upgraded> {
    await this.#write(switchingProtocols({
      accept: acceptKey(head.webSocketKey ?? ""),
      protocol: protocol === "" ? undefined : protocol,
    }));
    return { accept, protocol, maxMessageBytes, rest: this.#rest };
  }

  async #refuse(refusal: HttpRefusal): Promise<Outcome> {
    const date = ["date", new Date().toUTCString()] as const;
    await this.#write(refusalResponse({ ...refusal, headers: [...refusal.headers ?? [], date] }));
    return await this.#linger();
  }

  /** Ends the answer, and reads on for a moment: what is not read makes some networks take the answer back. */
  async #linger(): Promise<Outcome> {
    this.#limit(this.#times.linger);
    await this.#stream.closeWrite();
    while (await this.#read() !== undefined);
    return "over";
  }

  /** Drops the connection unless what comes next comes in time. */
  #limit(milliseconds: number): void {
    this.#callOff?.();
    this.#callOff = deadline(milliseconds, () => this.close());
  }

  async #readInTime(): Promise<Bytes | undefined> {
    this.#limit(this.#times.stall);
    const bytes = await this.#read(BODY_READ_BYTES);
    this.#callOff?.();
    if (bytes === undefined) this.#leaving?.abort();
    return bytes;
  }

  /**
   * Reads on while a request is answered whose whole body has come, to see its client leave; what comes is
   * of the next request. A client that only ends its side still gets what its route makes of the signal.
   */
  #lookAhead(): void {
    const left = (): void => this.#leaving?.abort();
    const ahead = this.#receive(HEAD_READ_BYTES);
    this.#ahead = ahead;
    ahead.then((bytes) => bytes ?? left(), left);
  }

  #read(size: number = HEAD_READ_BYTES): Promise<Bytes | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return ahead ?? this.#receive(size);
  }

  async #receive(size: number): Promise<Bytes | undefined> {
    const buffer = new Uint8Array(size);
    const bytes = await this.#stream.read(buffer);
    return bytes === null ? undefined : buffer.subarray(0, bytes);
  }

  /** With a limit of its own, as a body may be awaited meanwhile. */
  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const callOff = deadline(this.#times.stall, () => this.close());
      try {
        at += await this.#stream.write(bytes.subarray(at));
      } finally {
        callOff();
      }
    }
  }
}

const NOTHING = new Uint8Array(0);
const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");
