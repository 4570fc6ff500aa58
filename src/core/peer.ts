/** Who is at the other end of a connection, as far as the transport can tell. */
export interface Peer {
  /** The address that the connection came from; behind a trusted proxy, the one that the proxy names. */
  readonly ip: string;
  /** A loopback address, a loopback Host, and no proxy in between: the gateway's own host. */
  readonly local: boolean;
  /** The Origin header: present means that a browser page opened the connection. */
  readonly origin?: string;
  /** The Host header. */
  readonly host?: string;
  readonly userAgent?: string;
}
