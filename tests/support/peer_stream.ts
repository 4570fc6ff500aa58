/** The bytes of one connection to a listener, as its peer sees them: read only when it is told to. */

import { within } from "./deadline.ts";

/** What is read at once, in bytes. */
const READ_BYTES = 65_536;

/** One connection; `using` drops it. */
export class PeerStream implements Disposable {
  readonly #connection: Deno.Conn;
  #ended = false;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** Writes all of it. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  /** Writes as far as the other side takes it; whether that was all. Never fails. */
  async tryWrite(bytes: Uint8Array): Promise<boolean> {
    try {
      await this.write(bytes);
      return true;
    } catch {
      return false;
    }
  }

  /** Says that nothing more comes. */
  async closeWrite(): Promise<void> {
    await this.#connection.closeWrite();
  }

  /** The bytes that come next; undefined once the connection has ended. */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const buffer = new Uint8Array(READ_BYTES);
    const read = this.#connection.read(buffer).catch(() => null);
    const count = await within(read, "bytes or the end of a connection");
    if (count !== null) return buffer.subarray(0, count);
    this.#ended = true;
    return undefined;
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch {
      // The test closed it.
    }
  }
}
