import { listenTcp } from "../../../src/adapters/tcp_listener.ts";
import { testHandshakes } from "./handshake_suite.ts";
import { testHttp } from "./http_suite.ts";
import { testLinks } from "./link_suite.ts";
import type { ListenerUnderTest } from "./listener_stage.ts";
import { testWebSockets } from "./websocket_suite.ts";

const TCP: ListenerUnderTest = {
  name: "own listener",
  listen: listenTcp,
  differences: {
    longBody: 413,
    loneLineFeeds: "400",
    longMessage: "1009 message too long",
    unmasked: "1002 frame is not masked",
    manyFragments: "1009 too many fragments",
    manyPings: "1008 too many pings",
    terminated: "end",
    pausedFlood: "held",
    boundBroken: /^1009$/,
    vanished: "1006",
    tellsProtocol: true,
    tightProtocols: "101",
    otherVersion: "426",
  },
};

testHttp(TCP);
testHandshakes(TCP);
testWebSockets(TCP);
testLinks(TCP);
