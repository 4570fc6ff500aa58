/** A socket of `node:tls` as a byte stream that is read as its owner asks. */

import type { Socket } from "node:net";
import type { ByteStream } from "./framed_socket.ts";

/** Bytes that a socket may hold unread before its connection is read no further. */
const MAX_UNREAD_BYTES = 32 * 1024;

/** What reads a connection, and can be told to wait. */
interface Intake {
  readStart(): unknown;
  readStop(): unknown;
}

/**
 * A byte stream over a socket. One read at a time; little more is read ahead than {@linkcode MAX_UNREAD_BYTES} and what
 * came with them.
 */
export class NodeStream implements ByteStream {
  readonly #socket: Socket;
  readonly #intake: Intake | undefined;
  #stopped = false;
  #error: Error | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  /** `connection`: what the TLS socket stands on. */
  constructor(socket: Socket, connection: Socket) {
    this.#socket = socket;
    this.#intake = intakeOf(connection);
    neverWait(intakeOf(socket));
    socket.on("readable", () => {
      if (socket.readableLength > MAX_UNREAD_BYTES) this.#stop();
      this.#signal();
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#signal();
    });
    socket.on("error", (error) => {
      this.#error ??= error;
      this.#signal();
    });
    socket.on("close", () => {
      this.#ended = true;
      this.#signal();
    });
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      const available = Math.min(this.#socket.readableLength, into.length);
      const chunk: unknown = available > 0 ? this.#socket.read(available) : undefined;
      if (chunk instanceof Uint8Array) {
        into.set(chunk);
        if (this.#stopped && this.#socket.readableLength === 0) this.#start();
        return chunk.length;
      }
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        // Asks for more where nothing is buffered.
        this.#socket.read(0);
      });
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length));
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(resolve));
  }

  close(): void {
    this.#ended = true;
    // So that TLS says that this is the end, and nothing was cut off.
    this.#socket.end();
    this.#socket.destroy();
    this.#signal();
  }

  #stop(): void {
    if (this.#stopped || this.#ended) return;
    this.#stopped = true;
    this.#intake?.readStop();
  }

  #start(): void {
    this.#stopped = false;
    if (!this.#ended) this.#intake?.readStart();
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/**
 * Leaves it to the connection beneath to wait: the runtime's TLS that is told to takes what comes on and on, into
 * memory, and forgets to say that the peer has ended.
 */
function neverWait(tls: Intake | undefined): void {
  if (tls !== undefined) tls.readStop = () => 0;
}

/** What reads for a socket; no public name of it reaches as far. */
function intakeOf(socket: Socket): Intake | undefined {
  const handle: unknown = "_handle" in socket ? socket._handle : undefined;
  return isIntake(handle) ? handle : undefined;
}

function isIntake(value: unknown): value is Intake {
  return typeof value === "object" && value !== null && "readStart" in value &&
    typeof value.readStart === "function" && "readStop" in value &&
    typeof value.readStop === "function";
}
