/** A client that comes in, asks for much and takes nothing: the network fills up, then the gateway's memory. */

import { RawPeer } from "./raw_peer.ts";
import { upgradeLines } from "./raw_socket.ts";
import { clientFrame } from "./websocket_frames.ts";
import { connectParams, WireClient } from "./wire_client.ts";

/** The session whose history is large. */
const LARGE_SESSION = "agent:main:large";

/** Notes in it, and their characters: an answer with all of them is as long as these together. */
const LARGE_NOTES = 8;
const NOTE_CHARS = 60_000;

/** Who is of this kind comes and goes without an event to others. */
export const UNSEEN_CLIENT = { id: "cli", version: "1.0", platform: "linux", mode: "cli" } as const;

/** A gateway to be slow with. */
interface Place {
  readonly url: string;
  readonly token: string;
}

/** Makes a session whose history is 480 KB long, for {@linkcode SlowReader.ask}; everybody there is told of it. */
export async function makeLargeHistory({ url, token }: Place): Promise<void> {
  const scopes = ["operator.admin"];
  const extra = { client: UNSEEN_CLIENT };
  await using client = await WireClient.connect(url, { token, scopes, extra });
  const note = { sessionKey: LARGE_SESSION, message: "x".repeat(NOTE_CHARS) };
  await client.call("chat.send", { ...note, message: "begin", idempotencyKey: "large" });
  await client.event("chat", ({ state }) => state === "final");
  for (let count = 0; count < LARGE_NOTES; count++) await client.call("chat.inject", note);
}

/** What a slow reader finds when it reads in the end. */
export interface Leftovers {
  /** The sequence numbers of the events, in the order in which they came, those before the stall included. */
  readonly sequence: readonly number[];
  /** Answers to what it asked for. */
  readonly answers: number;
  readonly bytes: number;
  /** `1008 slow consumer`, `end` where the connection ended without a close frame, empty where it is open. */
  readonly close: string;
}

/** One such client; `using` drops it. */
export class SlowReader implements Disposable {
  readonly #peer: RawPeer;
  readonly #sequence: number[] = [];

  private constructor(peer: RawPeer) {
    this.#peer = peer;
  }

  /** Comes in, and reads nothing any more from then on. */
  static async connect({ url, token }: Place): Promise<SlowReader> {
    const port = Number(new URL(url).port);
    const peer = await RawPeer.open(port);
    const reader = new SlowReader(peer);
    const head = upgradeLines("/", [`Host: 127.0.0.1:${port}`]).join("\r\n");
    await peer.write(`${head}\r\n\r\n`);
    const answer = await peer.head();
    if (!answer.startsWith("HTTP/1.1 101 ")) throw new Error(`no upgrade: ${answer}`);
    const scopes = ["operator.admin"];
    const params = await connectParams({ token, scopes, extra: { client: UNSEEN_CLIENT } }, "");
    await reader.#call("in", { method: "connect", params });
    for (;;) {
      const text = await reader.#text();
      if (text === undefined) throw new Error("ended before it was let in");
      if (!text.includes('"id":"in"')) continue;
      if (!text.includes('"ok":true')) throw new Error(`was not let in: ${text}`);
      return reader;
    }
  }

  /** Asks for the history that {@linkcode makeLargeHistory} made, as often as `calls`, and does not read it. */
  async ask(calls: number): Promise<void> {
    const call = { method: "chat.history", params: { sessionKey: LARGE_SESSION } };
    for (let count = 0; count < calls; count++) await this.#call(`large-${count}`, call);
  }

  /** Reads all that is left: to the end of the connection, up to the event of this number or to so many answers. */
  async read(
    { event = Infinity, answers: most = Infinity }: { event?: number; answers?: number } = {},
  ): Promise<Leftovers> {
    let answers = 0;
    let bytes = 0;
    for (;;) {
      if ((this.#sequence.at(-1) ?? 0) >= event || answers >= most) {
        return { sequence: this.#sequence, answers, bytes, close: "" };
      }
      const frame = await this.#peer.frame();
      if (frame === undefined) return { sequence: this.#sequence, answers, bytes, close: "end" };
      const { opcode, payload } = frame;
      bytes += payload.length;
      if (opcode === 8) {
        const code = (payload[0] ?? 0) << 8 | (payload[1] ?? 0);
        const close = `${code} ${new TextDecoder().decode(payload.subarray(2))}`;
        return { sequence: this.#sequence, answers, bytes, close };
      }
      if (opcode === 1 && this.#take(new TextDecoder().decode(payload))) answers++;
    }
  }

  [Symbol.dispose](): void {
    this.#peer[Symbol.dispose]();
  }

  async #text(): Promise<string | undefined> {
    const frame = await this.#peer.frame();
    if (frame === undefined) return undefined;
    const text = new TextDecoder().decode(frame.payload);
    this.#take(text);
    return text;
  }

  /** Whether it is an answer; notes the number of an event. */
  #take(text: string): boolean {
    const { type, seq }: { type?: string; seq?: number } = JSON.parse(text);
    if (seq !== undefined) this.#sequence.push(seq);
    return type === "res";
  }

  async #call(id: string, call: { method: string; params: unknown }): Promise<void> {
    await this.#peer.write(clientFrame(1, JSON.stringify({ type: "req", id, ...call })));
  }
}
