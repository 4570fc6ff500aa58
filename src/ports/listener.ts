/** A network listener that speaks HTTP and hands WebSocket upgrades on as sockets. */

import type { Serve } from "../core/serve.ts";

/** A listener that is running. */
export interface Listener {
  readonly hostname: string;
  /** The port that it has, also when 0 was asked for. */
  readonly port: number;
  /** Stops accepting; connections still open after `graceMs` are dropped. A second call is the first. */
  stop(graceMs: number): Promise<void>;
}

/** What an operator changes to have something listen elsewhere: flags, or keys of settings. */
export interface Remedy {
  readonly port: string;
  readonly address: string;
}

/** What to listen on. */
export interface ListenOptions {
  readonly hostname: string;
  /** 0: any free port. */
  readonly port: number;
  readonly serve: Serve;
  /** Told of a request that could not be answered for a reason of the listener's own; must not throw. */
  readonly failed?: (error: unknown) => void;
  /**
   * A WebSocket message longer than this closes its connection with 1009. An adapter over a host's own
   * server may be unable to hold this bound and the next one, and says so.
   */
  readonly maxMessageBytes: number;
  /** The body of a request longer than this is refused with 413; asked at each connection; undefined: 1 MiB. */
  readonly maxBodyBytes?: () => number | undefined;
  /** Certificate chain and private key as PEM text; absent: connections are not encrypted. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Named where the address cannot be had; absent: the flags of the gateway's own port. */
  readonly remedy?: Remedy;
}

/** Starts a listener; rejects with {@linkcode ListenError} when the address cannot be had. */
export type Listen = (options: ListenOptions) => Promise<Listener>;

/** Why an address cannot be listened on, in words for an operator. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly reason: "in-use" | "not-available" | "not-permitted" | "other";

  constructor(reason: ListenError["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}
