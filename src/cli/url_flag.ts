/** The address that `--url` names. */

import { gatewayUrl } from "../client/gateway_url.ts";
import { quote } from "../core/quote.ts";
import { CommandFailed, EXIT } from "./exit_code.ts";

/** How an address is written; ends a message about one that is none. */
export const URL_SHAPE =
  "a gateway's address is written like ws://127.0.0.1:18789, or wss://gateway.example behind TLS";

/**
 * Checks what was typed. Beside what the client refuses, a word with neither scheme nor port is refused:
 * it is a slip more often than a host that serves gateways on port 80. Throws `usage`.
 */
export function urlFlag(typed: string): URL {
  const text = typed.trim();
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /:\d+(?:\/.*)?$/.test(text)) return gatewayUrl(text);
  // What could hold a secret is not repeated: user and password before an @, and a query.
  const shown = text.replace(/[?#].*$/s, "").replace(/^.*@/s, "");
  throw new CommandFailed(
    EXIT.usage,
    `--url ${quote(shown, 80)} is not an address: it has neither a scheme nor a port`,
    URL_SHAPE,
  );
}
