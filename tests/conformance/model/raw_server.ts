/** An HTTP server at the level of bytes, for answers that no honest server gives. */

/** One request as it came, and the connection to answer it on. */
export interface RawRequest {
  readonly head: string;
  readonly body: string;
  write(text: string): Promise<void>;
  /** Resolves when the client has closed its side. */
  closed(): Promise<void>;
}

/** Serves every connection with `answer`, one request each, and closes it when `answer` is done. */
export class RawServer implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #served: Promise<void>;
  readonly requests: RawRequest[] = [];

  constructor(answer: (request: RawRequest) => Promise<void>) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#served = this.#serve(answer);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) close(connection);
    await this.#served;
  }

  async #serve(answer: (request: RawRequest) => Promise<void>): Promise<void> {
    const jobs: Promise<void>[] = [];
    try {
      for await (const connection of this.#listener) {
        this.#connections.add(connection);
        jobs.push(
          this.#handle(connection, answer).catch(() => {}).finally(() => {
            this.#connections.delete(connection);
            close(connection);
          }),
        );
      }
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.BadResource)) throw thrown;
    }
    await Promise.all(jobs);
  }

  async #handle(
    connection: Deno.TcpConn,
    answer: (request: RawRequest) => Promise<void>,
  ): Promise<void> {
    let text = "";
    const buffer = new Uint8Array(64 * 1024);
    const decoder = new TextDecoder();
    while (!isComplete(text)) {
      const read = await connection.read(buffer);
      if (read === null) return;
      text += decoder.decode(buffer.subarray(0, read), { stream: true });
    }
    const [head = "", body = ""] = text.split("\r\n\r\n", 2);
    const request: RawRequest = {
      head,
      body,
      write: async (out) => {
        let bytes = new TextEncoder().encode(out);
        while (bytes.length > 0) bytes = bytes.subarray(await connection.write(bytes));
      },
      closed: async () => {
        try {
          while (await connection.read(buffer) !== null);
        } catch {
          // Reset by the client: closed as well.
        }
      },
    };
    this.requests.push(request);
    await answer(request);
  }
}

/** The head of a successful event stream that lasts until the connection is closed. */
export const STREAM_HEAD =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/** The same, in chunks, so that a missing last chunk is seen as a break. */
export const CHUNKED_HEAD =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/** A whole answer. */
export function response(status: number, type: string, body: string, headers = ""): string {
  const length = new TextEncoder().encode(body).length;
  return `HTTP/1.1 ${status} X\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n${headers}connection: close\r\n\r\n${body}`;
}

/** One chunk of a chunked body. */
export function chunk(text: string): string {
  return `${new TextEncoder().encode(text).length.toString(16)}\r\n${text}\r\n`;
}

function isComplete(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0);
  return new TextEncoder().encode(text.slice(end + 4)).length >= length;
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
