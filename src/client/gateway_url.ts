/** The address of a gateway. */

import { quote } from "../core/quote.ts";
import { ConnectionFailed } from "./client_error.ts";

/** Where a gateway listens when nobody says otherwise. */
export const DEFAULT_GATEWAY_URL = "ws://127.0.0.1:18789";

/**
 * Checks an address. `http` and `https` count as `ws` and `wss`, and a text without a scheme as `ws`.
 * Throws a `usage` {@linkcode ConnectionFailed} for anything else and for an address that carries a
 * user, a password or a query, where a secret would end up in logs; it never repeats such a part.
 */
export function gatewayUrl(text: string): URL {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `ws://${text}`;
  if (!URL.canParse(full)) throw refused(`${quote(hideSecrets(text))} is not an address`);
  const url = new URL(full.replace(/^http/i, "ws"));
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw refused(`${quote(`${url.protocol}//`)} is not a scheme of a gateway's address`);
  }
  if (url.username !== "" || url.password !== "" || url.search !== "") {
    throw refused(
      "an address must not hold a user, a password or a query; give the token separately",
    );
  }
  if (url.hostname === "") throw refused(`${quote(hideSecrets(text))} names no host`);
  url.hash = "";
  return url;
}

function refused(what: string): ConnectionFailed {
  return new ConnectionFailed("usage", `${what}; write it like ${DEFAULT_GATEWAY_URL}`);
}

/** Cuts what could hold a secret: user and password before the host, and the query. */
function hideSecrets(text: string): string {
  return text.replace(/[?#].*$/s, "").replace(/\/\/[^/]*@/, "//");
}

/** Whether what is sent to this address stays on this host. */
export function isLoopback(url: URL): boolean {
  const host = url.hostname;
  return host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}
