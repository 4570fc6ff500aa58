/**
 * The opening handshake of a WebSocket as a server reads it (RFC 6455, section 4.2): whether a request
 * asks for one, what it must hold, and the proof that answers it.
 */

import { type HttpRefusal, refused } from "./http_refusal.ts";
import { isToken, listHas, listMembers } from "./http_syntax.ts";
import { quote } from "./quote.ts";
import { sha1 } from "./sha1.ts";

/** What the server proves to have understood (RFC 6455, section 1.3). */
const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The version of the protocol that is spoken. */
const WEBSOCKET_VERSION = "13";

/** 16 bytes in base64. */
const KEY_PATTERN = /^[A-Za-z0-9+/]{22}==$/;

const encoder = new TextEncoder();

/** Of a request, what its opening handshake is read from; a field that came twice has its values in order. */
export interface UpgradeFields {
  readonly method: string;
  readonly version: "1.0" | "1.1";
  /** Every value of Connection, as one list. */
  readonly connection: string;
  /** Every value of Upgrade, as one list. */
  readonly upgrade: string;
  readonly keys: readonly string[];
  readonly versions: readonly string[];
  /** Every value of Sec-WebSocket-Protocol, as one list. */
  readonly protocols: string;
  readonly hasBody: boolean;
}

/** What a request asks the connection to become. */
export type AskedUpgrade =
  | { readonly state: "none" }
  | { readonly state: "websocket"; readonly key: string }
  | HttpRefusal;

/**
 * Reads the opening handshake of a request. An Upgrade to anything else, or on HTTP/1.0 (RFC 9110,
 * section 7.8), is none; one that names `websocket` and breaks a rule is refused with 400, and one of
 * another version with 426 and the version that is spoken.
 */
export function readUpgrade(fields: UpgradeFields): AskedUpgrade {
  if (fields.version === "1.0" || !listHas(fields.upgrade, "websocket")) return { state: "none" };
  if (!listHas(fields.connection, "upgrade")) {
    return refused(
      400,
      "the WebSocket handshake lacks Connection: Upgrade; let a proxy in between pass it on",
    );
  }
  if (fields.method !== "GET") {
    return refused(400, `a WebSocket handshake is a GET request, not ${quote(fields.method, 32)}`);
  }
  if (fields.hasBody) return refused(400, "a WebSocket handshake has no body; send none");
  const [version] = fields.versions;
  if (fields.versions.length !== 1 || version !== WEBSOCKET_VERSION) {
    return {
      state: "refused",
      status: 426,
      reason:
        `speak version ${WEBSOCKET_VERSION} of the WebSocket protocol (Sec-WebSocket-Version)`,
      headers: [["upgrade", "websocket"], ["sec-websocket-version", WEBSOCKET_VERSION]],
    };
  }
  const [key] = fields.keys;
  if (key === undefined || fields.keys.length !== 1 || !KEY_PATTERN.test(key)) {
    return refused(400, "a WebSocket handshake has one Sec-WebSocket-Key of 16 bytes in base64");
  }
  const subprotocols = listMembers(fields.protocols);
  if (!subprotocols.every(isToken) || new Set(subprotocols).size !== subprotocols.length) {
    return refused(
      400,
      "Sec-WebSocket-Protocol offers tokens, each once, with commas between them",
    );
  }
  return { state: "websocket", key };
}

/** The value of Sec-WebSocket-Accept for a client's Sec-WebSocket-Key (RFC 6455, section 4.2.2). */
export function acceptKey(webSocketKey: string): string {
  return btoa(String.fromCharCode(...sha1(encoder.encode(webSocketKey + HANDSHAKE_GUID))));
}
