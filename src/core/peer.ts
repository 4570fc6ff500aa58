/** Who is at the other end of a connection, as far as the transport can tell. */
export interface Peer {
  /** The address that the connection came from; behind a trusted proxy, the one that the proxy names. */
  readonly ip: string;
  /** A loopback address, a loopback Host, and no proxy in between: the gateway's own host. */
  readonly local: boolean;
  /** Something stands between: the request carries forwarding headers, trusted or not. Never local then. */
  readonly forwarded?: boolean;
  /**
   * Whom a proxy names that is not trusted. Anyone may write it, so it only tells failures apart
   * below a bound for the proxy as a whole.
   */
  readonly claimedIp?: string;
  /** The Origin header: present means that a browser page opened the connection. */
  readonly origin?: string;
  /** The Host header. */
  readonly host?: string;
  readonly userAgent?: string;
}
