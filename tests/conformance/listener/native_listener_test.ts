import { listenNatively } from "../../../src/adapters/native_listener.ts";
import { testHandshakes } from "./handshake_suite.ts";
import { testHttp } from "./http_suite.ts";
import { testLinks } from "./link_suite.ts";
import type { ListenerUnderTest } from "./listener_stage.ts";
import { testWebSockets } from "./websocket_suite.ts";

const NATIVE: ListenerUnderTest = {
  name: "the runtime's listener",
  listen: listenNatively,
  differences: {
    longBody: 200,
    loneLineFeeds: "200",
    longMessage: "echo",
    unmasked: "echo",
    manyFragments: "echo",
    manyPings: "150 pongs",
    terminated: "1001",
    // It resets a connection that still sends, which may take the close frame back.
    pausedFlood: /^(1008 sent too much unread|1006)$/,
    boundBroken: /^(1009|1006)$/,
    vanished: "0",
    tellsProtocol: false,
    tightProtocols: "500",
    otherVersion: "101",
  },
};

testHttp(NATIVE);
testHandshakes(NATIVE);
testWebSockets(NATIVE);
testLinks(NATIVE);
