/** A listener on loopback for the time of one test, and what an adapter is allowed to do differently. */

import type { Serve } from "../../../src/core/serve.ts";
import type { ServerSocket } from "../../../src/core/websocket.ts";
import type { Listen, ListenOptions } from "../../../src/ports/listener.ts";

/**
 * What adapters differ in, mostly by what a client sees. One difference cannot be a row: a handler of Web
 * events that throws costs its connection on our listener, and the process on the runtime's.
 */
export interface Differences {
  /** The answer to a body beyond `maxBodyBytes` that the route reads. */
  readonly longBody: 413 | 200;
  /** The answer to a head whose lines end without CR, which two programs could read in two ways. */
  readonly loneLineFeeds: "400" | "200";
  /** The close of a connection whose message is longer than `maxMessageBytes`; "echo": it is delivered. */
  readonly longMessage: "1009 message too long" | "echo";
  /** The close of a connection that sent a frame without a mask. */
  readonly unmasked: "1002 frame is not masked" | "echo";
  /** The close of a connection that sent a message in 2,000 fragments. */
  readonly manyFragments: "1009 too many fragments" | "echo";
  /** The close of a connection that pings 150 times in a row. */
  readonly manyPings: "1008 too many pings" | "150 pongs";
  /** What a terminated connection looks like to its peer. */
  readonly terminated: "end" | "1001";
  /** What becomes of a peer that sends without end while nobody reads. */
  readonly pausedFlood: "held" | RegExp;
  /** The close of a connection that sent more than `allow` lets it. */
  readonly boundBroken: RegExp;
  /** The code of a peer that vanished, on the Web's surface; a link says 1006. */
  readonly vanished: "1006" | "0";
  /** Whether a socket's `protocol` is what the handshake settled on; otherwise it is empty. */
  readonly tellsProtocol: boolean;
  /** The answer to an offer of subprotocols with commas alone between them. */
  readonly tightProtocols: "101" | "500";
  /** The answer to a WebSocket handshake of another version. */
  readonly otherVersion: "426" | "101";
}

/** An adapter under test. */
export interface ListenerUnderTest {
  readonly name: string;
  readonly listen: Listen;
  readonly differences: Differences;
}

/** What a test has of a listener. */
export interface Stage {
  readonly port: number;
  readonly url: string;
  /** What the listener was told to tell. */
  readonly failures: readonly unknown[];
  stop(graceMs: number): Promise<void>;
}

/** Bounds of the stage's listener, small enough to be broken. */
export const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;
export const MAX_BODY_BYTES = 200_000;

/** Runs `test` with a listener, and stops it at once. */
export async function withListener(
  listen: Listen,
  { serve, ...others }: Partial<ListenOptions> & { readonly serve: Serve },
  test: (stage: Stage) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  const listener = await listen({
    hostname: "127.0.0.1",
    port: 0,
    serve,
    failed: (error) => failures.push(error),
    maxMessageBytes: MAX_MESSAGE_BYTES,
    maxBodyBytes: () => MAX_BODY_BYTES,
    ...others,
  });
  try {
    const { port } = listener;
    const stop = (graceMs: number) => listener.stop(graceMs);
    await test({ port, url: `http://127.0.0.1:${port}`, failures, stop });
  } finally {
    // Once more, where the test has: that is the same stop.
    await listener.stop(0);
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
  }
}

/** Routes that accept every WebSocket. */
export function accepting(accept: (socket: ServerSocket) => void, protocol?: string): Serve {
  return (_request, { upgrade }) =>
    upgrade?.(accept, protocol === undefined ? {} : { protocol }) ??
      new Response("no upgrade", { status: 426 });
}

/** Timers of links; a link that is gone may leave one. */
const timers = new Set<ReturnType<typeof setTimeout>>();

/** The real time, for links that are made of the Web's surface. */
export function schedule(delayMs: number, task: () => void): () => void {
  const timer = setTimeout(() => {
    timers.delete(timer);
    task();
  }, delayMs);
  timers.add(timer);
  return () => clearTimeout(timer);
}
