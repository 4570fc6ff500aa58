/** A server's socket over a byte stream whose network and peer a test plays. */

import { FramedSocket, type SocketHouse } from "../../src/adapters/framed_socket.ts";
import { ReadBuffers } from "../../src/adapters/read_buffers.ts";
import { TurnBudget } from "../../src/adapters/turn_budget.ts";
import { WriteTurns } from "../../src/adapters/write_turns.ts";
import { BufferPool } from "../../src/core/buffer_pool.ts";
import type { LinkListener } from "../../src/core/link.ts";
import { FrameTools } from "../../src/core/websocket_frame.ts";
import { FakeStream } from "./fake_stream.ts";
import { type ServerFrame, serverFrames } from "./websocket_frames.ts";

/** What a link's listener was told, in order: `text`, `<bytes>`, `drained` or `closed 1000 reason`. */
export class HeardLink implements LinkListener {
  readonly heard: string[] = [];

  message(data: string | Uint8Array): void {
    this.heard.push(typeof data === "string" ? data : `<${data}>`);
  }

  drained(): void {
    this.heard.push("drained");
  }

  closed(code: number, reason: string): void {
    this.heard.push(`closed ${code} ${reason}`.trim());
  }
}

/** One socket that runs until the test ends. */
export class SocketStage implements AsyncDisposable {
  readonly stream = new FakeStream();
  readonly failures: unknown[] = [];
  readonly house: SocketHouse = {
    limits: { maxMessageBytes: 100_000, maxFragments: 16 },
    tools: new FrameTools(),
    pool: new BufferPool(),
    reads: new ReadBuffers(),
    turns: new WriteTurns(() => 1),
    budget: new TurnBudget(),
    left: () => this.#left.resolve(),
    failed: (error) => this.failures.push(error),
  };
  readonly socket: FramedSocket;
  readonly listener = new HeardLink();
  readonly #left = Promise.withResolvers<void>();
  #running = false;

  constructor(options: { readonly protocol?: string } = {}) {
    this.socket = new FramedSocket(this.stream, this.house, options);
  }

  /** A socket that has a link's listener and runs. */
  static started(): SocketStage {
    const stage = new SocketStage();
    stage.socket.attach(stage.listener);
    stage.run();
    return stage;
  }

  get heard(): readonly string[] {
    return this.listener.heard;
  }

  /** Starts reading, behind `first`. */
  run(first: Uint8Array<ArrayBuffer> = new Uint8Array(0)): void {
    this.#running = true;
    this.socket.run(first);
  }

  /** Resolves when the socket has ended. */
  async over(): Promise<void> {
    if (this.#running) await this.#left.promise;
  }

  /** The frames that were written. */
  get frames(): readonly ServerFrame[] {
    return serverFrames(this.stream.written);
  }

  /** The frames that were written: `text`, or the name of another kind with its payload. */
  get said(): readonly string[] {
    return this.frames.map(describe);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.over();
    this.house.turns.stop();
  }
}

function describe({ opcode, payload }: ServerFrame): string {
  const text = new TextDecoder();
  if (opcode === 1) return text.decode(payload);
  if (opcode === 2) return `<${payload}>`;
  if (opcode === 9) return `ping ${text.decode(payload)}`.trim();
  if (opcode === 10) return `pong ${text.decode(payload)}`.trim();
  if (payload.length === 0) return "close";
  const code = (payload[0] ?? 0) << 8 | (payload[1] ?? 0);
  return `close ${code} ${text.decode(payload.subarray(2))}`.trim();
}
