/** A client of the chat channel, on the platform's own WebSocket. */

import { within } from "./deadline.ts";

/** A frame as it came. */
export interface ChatFrame {
  readonly type: string;
  readonly messageId?: string;
  readonly content?: string;
  readonly done?: boolean;
  readonly error?: string;
}

/** Keeps every frame; waits for those that are wanted. */
export class ChatClient implements AsyncDisposable {
  readonly frames: ChatFrame[] = [];
  readonly #socket: WebSocket;
  readonly #closed = Promise.withResolvers<{ code: number; reason: string }>();
  #wake = Promise.withResolvers<void>();
  #read = 0;

  private constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => {
      this.frames.push(JSON.parse(String(data)));
      this.#awaken();
    };
    this.#socket.onclose = ({ code, reason }) => {
      this.#closed.resolve({ code, reason });
      this.#awaken();
    };
  }

  /** Dials; resolves at once. */
  static dial(url: string): ChatClient {
    return new ChatClient(url);
  }

  /** Dials and waits for the greeting. */
  static async open(url: string): Promise<ChatClient> {
    const client = new ChatClient(url);
    await client.next(({ content }) => content === "Connected to WebSocket chat server");
    return client;
  }

  send(message: string | Readonly<Record<string, unknown>>): void {
    const send = () =>
      this.#socket.send(
        typeof message === "string" ? message : JSON.stringify({ type: "chat.send", ...message }),
      );
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#socket.onopen = send;
    else send();
  }

  /** Waits until messages can be sent. */
  async opened(): Promise<void> {
    if (this.#socket.readyState === WebSocket.OPEN) return;
    await within(new Promise((resolve) => this.#socket.onopen = resolve), "an upgrade");
  }

  /** The next frame, of those not waited for yet, that fits. */
  async next(fits: (frame: ChatFrame) => boolean): Promise<ChatFrame> {
    for (;;) {
      while (this.#read < this.frames.length) {
        const frame = this.frames[this.#read++]!;
        if (fits(frame)) return frame;
      }
      if (this.#socket.readyState >= WebSocket.CLOSING) {
        throw new Error(`closed; got ${JSON.stringify(this.frames)}`);
      }
      await within(this.#wake.promise, "a chat frame");
    }
  }

  /** Says something and waits for the last block of the answer or an error. */
  async ask(content: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
    this.send({ content, ...more });
    const frame = await this.next(({ type, done }) => type === "chat.error" || done === true);
    return frame.error ?? frame.content ?? "";
  }

  /** How the connection ended. */
  end(): Promise<{ code: number; reason: string }> {
    return within(this.#closed.promise, "a close");
  }

  close(): void {
    this.#socket.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.end();
  }

  #awaken(): void {
    const wake = this.#wake;
    this.#wake = Promise.withResolvers<void>();
    wake.resolve();
  }
}
