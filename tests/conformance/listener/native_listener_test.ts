import { listenNatively } from "../../../src/adapters/native_listener.ts";
import { testHttp } from "./http_suite.ts";
import type { ListenerUnderTest } from "./listener_stage.ts";
import { testWebSockets } from "./web_socket_suite.ts";

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
    pausedFlood: "1008 sent too much unread",
    otherVersion: "500",
  },
};

testHttp(NATIVE);
testWebSockets(NATIVE);
