/** Says in a person's words why no WebSocket came about. */

import { ConnectionFailed } from "../client/client_error.ts";
import { isLoopback } from "../client/gateway_url.ts";
import { quote } from "../core/quote.ts";
import { URL_SHAPE } from "./url_flag.ts";

interface Cause {
  /** In the platform's words. */
  readonly pattern: RegExp;
  /** Under this scheme alone. */
  readonly scheme?: "ws:" | "wss:";
  /** `detail` is what the pattern took out of the message. */
  readonly say: (url: URL, detail: string) => string;
}

/** What to do about a certificate, by the platform's word for what is wrong with it. */
const REMEDIES: readonly (readonly [reason: RegExp, remedy: string])[] = [
  [/UnknownIssuer/, "; name the file of its issuer in DENO_CERT"],
  [/CaUsedAsEndEntity/, "; one that signs itself has to be made with basicConstraints=CA:FALSE"],
];

const CAUSES: readonly Cause[] = [
  {
    pattern: /dns error|failed to lookup|name or service not known|nodename nor servname/i,
    say: ({ hostname }) => `there is no host ${quote(hostname)}; ${URL_SHAPE}`,
  },
  {
    pattern: /InvalidContentType|wrong version number|tls handshake eof|unexpected eof/i,
    scheme: "wss:",
    say: ({ host }) =>
      `it does not speak TLS there; if it is a gateway without TLS, write ws://${host}`,
  },
  {
    pattern: /invalid HTTP (?:version|header|status)|incomplete message/i,
    scheme: "ws:",
    say: ({ host }) => `it does not speak plain HTTP there; if it wants TLS, write wss://${host}`,
  },
  {
    pattern: /invalid peer certificate: (.*)$/i,
    scheme: "wss:",
    say: ({ hostname }, detail) =>
      `its TLS certificate is not one that this machine trusts for ${quote(hostname)} (${detail})` +
      (REMEDIES.find(([reason]) => reason.test(detail))?.[1] ?? ""),
  },
  {
    pattern: /operation was canceled|connection closed before/i,
    say: () => "it ended the connection without an answer; is it a gateway?",
  },
  {
    pattern: /tcp connect error|connection refused/i,
    say: (url) => isLoopback(url) ? "nothing listens there" : "nothing answers there",
  },
];

/** The same failure, its message in words where the cause is known; other failures as they are. */
export function explainFailure(error: ConnectionFailed, url: URL): ConnectionFailed {
  if (error.fault !== "unreachable") return error;
  for (const { pattern, scheme, say } of CAUSES) {
    const found = pattern.exec(error.message);
    if (found === null || (scheme ?? url.protocol) !== url.protocol) continue;
    const why = say(url, found[1] ?? "");
    return new ConnectionFailed("unreachable", `cannot connect to ${url.host}: ${why}`);
  }
  return error;
}
