/** Both ends of a WebSocket under test: the accepted socket, seen in either way, and its client. */

import assert from "node:assert/strict";
// @ts-types="@types/ws"
import WebSocket from "ws";
import type { Link } from "../../../src/core/link.ts";
import type { ServerSocket } from "../../../src/core/websocket.ts";
import { linkOf } from "../../../src/core/websocket_link.ts";
import { eventually, within } from "../../support/deadline.ts";
import { schedule } from "./listener_stage.ts";

/** What a test does with one accepted socket, whichever surface it uses. */
export interface Party {
  readonly socket: ServerSocket;
  readonly messages: (string | Uint8Array)[];
  /** Each end that was told: code and reason. */
  readonly ends: string[];
  drained: number;
  /** Resolves with the first end. */
  readonly over: Promise<string>;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code: number, reason: string): void;
}

export interface PartyOptions {
  /** Told of each message. */
  readonly heard?: (party: Party, data: string | Uint8Array) => void;
}

/** The two ways to serve a socket. */
export const SURFACES = {
  "Web surface": (socket: ServerSocket, options: PartyOptions = {}): Party => {
    const { party, message, end } = newParty(socket, {
      send: (data) => socket.send(data),
      close: (code, reason) => socket.close(code, reason),
    }, options);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) return message(new Uint8Array(data));
      assert.equal(typeof data, "string");
      message(String(data));
    });
    socket.addEventListener("close", ({ code, reason }) => end(code, reason));
    return party;
  },
  link: (socket: ServerSocket, options: PartyOptions = {}): Party =>
    linkParty(linkOf(socket, schedule), socket, options),
} as const;

function linkParty(link: Link, socket: ServerSocket, options: PartyOptions = {}): Party {
  const { party, message, end } = newParty(socket, {
    send: (data) => link.send(data),
    close: (code, reason) => link.close(code, reason),
  }, options);
  link.attach({ message, drained: () => party.drained++, closed: end });
  return party;
}

function newParty(
  socket: ServerSocket,
  ways: Pick<Party, "send" | "close">,
  { heard }: PartyOptions,
) {
  const over = Promise.withResolvers<string>();
  const party: Party = {
    socket,
    messages: [],
    ends: [],
    drained: 0,
    over: within(over.promise, "the end of a socket"),
    ...ways,
  };
  // A test that does not ask for the end need not wait for it.
  party.over.catch(() => {});
  return {
    party,
    message: (data: string | Uint8Array) => {
      const own = typeof data === "string" ? data : data.slice();
      party.messages.push(own);
      heard?.(party, own);
    },
    end: (code: number, reason: string) => {
      party.ends.push(`${code} ${reason}`.trim());
      over.resolve(`${code} ${reason}`.trim());
    },
  };
}

export function echo(party: Party, data: string | Uint8Array): void {
  party.send(typeof data === "string" ? data : new Uint8Array(data));
}

/** A client of the npm package, and what it received. */
export class Client implements Disposable {
  readonly socket: WebSocket;
  readonly messages: (string | Uint8Array)[] = [];
  readonly pongs: string[] = [];
  readonly opened: Promise<void>;
  /** Code and reason of its end. */
  readonly over: Promise<string>;

  constructor(
    port: number,
    protocols: readonly string[] = [],
    options: WebSocket.ClientOptions = {},
  ) {
    const scheme = options.ca === undefined ? "ws" : "wss";
    const socket = new WebSocket(`${scheme}://127.0.0.1:${port}/`, [...protocols], {
      perMessageDeflate: false,
      ...options,
    });
    this.socket = socket;
    socket.on("message", (data, isBinary) => {
      assert.ok(data instanceof Uint8Array);
      this.messages.push(isBinary ? new Uint8Array(data) : String(data));
    });
    socket.on("pong", (data) => this.pongs.push(String(data)));
    this.opened = within(
      new Promise<void>((resolve, reject) => {
        socket.on("open", () => resolve());
        socket.on("error", reject);
      }),
      "an open socket",
    );
    this.opened.catch(() => {});
    this.over = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve(`${code} ${reason}`.trim()));
    });
  }

  /** Waits for the nth message. */
  async heard(count: number): Promise<readonly (string | Uint8Array)[]> {
    await eventually(() => this.messages.length >= count, `${count} messages`);
    return this.messages;
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}
