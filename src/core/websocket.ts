/** The Web `WebSocket` as a handler sees it, whichever runtime or listener made it. */

import type { Link } from "./link.ts";

/** The states of a socket, as the Web numbers them. */
export const READY_STATE = { connecting: 0, open: 1, closing: 2, closed: 3 } as const;

/** A message as its event carries it; nothing else of the event is used. */
export interface MessageNote {
  readonly data: unknown;
}

/** The end of a socket as its event carries it. */
export interface CloseNote {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/**
 * The surface of the Web `WebSocket` that a server's handlers use. A runtime's own socket has it; so has
 * the socket of this package's listener, which brings its {@linkcode Link} along.
 */
export interface ServerSocket {
  /** One of {@linkcode READY_STATE}. */
  readonly readyState: number;
  /** Bytes handed to `send` that the operating system has not taken yet. */
  readonly bufferedAmount: number;
  /** The subprotocol that the handshake settled on; empty: none. */
  readonly protocol: string;
  /** How messages of bytes arrive; set it to "arraybuffer", as not every server knows blobs. */
  binaryType: string;
  /** What a server can do with this connection beyond what the Web knows; absent on a runtime's own socket. */
  readonly link?: Link;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: MessageNote) => void): void;
  addEventListener(type: "close", listener: (event: CloseNote) => void): void;
}
