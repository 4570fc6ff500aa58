/** The body of a request as a Web stream, read from the connection as the route asks for it. */

import { BodyDecoder } from "../core/http_body.ts";
import type { RequestHead } from "../core/http_head.ts";
import type { HttpRefusal } from "../core/http_refusal.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a body is read with. */
export interface BodySource {
  /** More is refused with 413. */
  readonly maxBytes: number;
  /** What came behind the head. */
  readonly rest: Bytes;
  /** The next bytes of the connection; undefined at its end. */
  readonly read: () => Promise<Bytes | undefined>;
  /** Tells a client that waits for it to send its body. */
  readonly proceed: () => Promise<void>;
  /** Told once that all of the body has come, and nothing behind it yet. */
  readonly ended: () => void;
}

/** One request's body. */
export class IncomingBody {
  readonly #source: BodySource;
  readonly #decoder: BodyDecoder;
  #waits: boolean;
  #unread: Bytes;
  #finished = false;
  #broken = false;
  #refusal: HttpRefusal | undefined;
  /** For the Request; null where there is no body, or none that a Request of this method may have. */
  readonly stream: ReadableStream<Bytes> | null;

  constructor(head: RequestHead, source: BodySource) {
    this.#source = source;
    this.#decoder = new BodyDecoder(head.body, { maxBytes: source.maxBytes });
    this.#waits = head.expectContinue;
    this.#unread = source.rest;
    this.#decode(NOTHING);
    const readable = !this.#finished && head.method !== "GET" && head.method !== "HEAD";
    this.stream = readable
      ? new ReadableStream({ pull: (controller) => this.#pull(controller) }, { highWaterMark: 0 })
      : null;
  }

  /** All of it has been read, so that another request may follow. */
  get finished(): boolean {
    return this.#finished;
  }

  /** The client's framing is wrong, or the body too long; nothing more is read. */
  get refusal(): HttpRefusal | undefined {
    return this.#refusal;
  }

  /** The client left within the body, or it was refused: what a route makes of that is no fault of the route. */
  get broken(): boolean {
    return this.#broken;
  }

  /** What came behind the body. */
  get rest(): Bytes {
    return this.#unread;
  }

  async #pull(controller: ReadableStreamDefaultController<Bytes>): Promise<void> {
    if (this.#waits) {
      this.#waits = false;
      await this.#source.proceed();
    }
    for (;;) {
      const pieces = this.#decode(this.#unread.length > 0 ? this.#unread : await this.#next());
      for (const piece of pieces) controller.enqueue(piece.slice());
      if (this.#refusal !== undefined) return controller.error(new Error(this.#refusal.reason));
      if (this.#finished) return controller.close();
      if (pieces.length > 0) return;
    }
  }

  async #next(): Promise<Bytes> {
    const bytes = await this.#source.read().catch(() => undefined);
    if (bytes !== undefined) return bytes;
    this.#broken = true;
    throw new Error("the client left within the body of its request");
  }

  #decode(bytes: Bytes): readonly Uint8Array[] {
    const result = this.#decoder.push(bytes);
    if (result.state === "refused") {
      this.#refusal = result;
      this.#broken = true;
      return [];
    }
    this.#finished = result.done;
    if (bytes.length > 0) this.#unread = result.rest.length === 0 ? NOTHING : result.rest.slice();
    if (result.done && this.#unread.length === 0) this.#source.ended();
    return result.pieces;
  }
}

const NOTHING = new Uint8Array(0);
