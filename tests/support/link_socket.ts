/** The socket that a listener would hand over with a link of a test's own. */

import type { Link } from "../../src/core/link.ts";
import { READY_STATE, type ServerSocket } from "../../src/core/websocket.ts";

/** A socket whose link is `link`; of the Web's surface it has only what a handler reads. */
export function socketOf(link: Link): ServerSocket {
  return {
    link,
    readyState: READY_STATE.open,
    bufferedAmount: 0,
    protocol: "",
    binaryType: "arraybuffer",
    send: (data) => link.send(data),
    close: (code = 1005, reason = "") => link.close(code, reason),
    addEventListener: () => {},
  };
}
