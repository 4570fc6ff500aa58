import assert from "node:assert/strict";
import type { Peer } from "../../../../../src/core/peer.ts";
import {
  connect,
  gateway,
  LOCAL,
  ORIGIN_REFUSED,
  PAGE,
  testRefusals,
  TOKEN,
  UI,
} from "../../../../support/admission_stage.ts";

const SECURE = "control ui requires HTTPS or localhost (secure context)";

testRefusals([
  {
    name: "the dashboard without an Origin",
    message: ORIGIN_REFUSED,
    connect: () => connect({ id: UI, mode: "ui", token: TOKEN }),
  },
  {
    name: "a web chat without an Origin",
    message: ORIGIN_REFUSED,
    connect: () => connect({ id: "webchat-ui", mode: "ui", token: TOKEN }),
  },
  {
    name: "any client in mode webchat without an Origin",
    message: ORIGIN_REFUSED,
    connect: () => connect({ mode: "webchat", token: TOKEN }),
  },
  {
    name: "a foreign Origin",
    message: ORIGIN_REFUSED,
    peer: { ...LOCAL, origin: "https://evil.example" },
    connect: () => connect({ token: TOKEN }),
  },
  {
    name: "the Origin null",
    message: ORIGIN_REFUSED,
    peer: { ...LOCAL, origin: "null" },
    connect: () => connect({ id: "webchat-ui", mode: "webchat", token: TOKEN }),
  },
  {
    name: "a loopback Origin at a public host",
    message: ORIGIN_REFUSED,
    peer: { ip: "192.0.2.1", local: false, host: "gw.example", origin: "http://localhost:3000" },
    connect: () => connect({ id: "webchat-ui", mode: "webchat", token: TOKEN }),
  },
  {
    name: "the dashboard without a device",
    message: SECURE,
    peer: PAGE,
    connect: () => connect({ id: UI, mode: "ui", token: TOKEN }),
  },
]);

Deno.test("pages of the gateway, of named origins and of this host get in", async () => {
  const g = gateway();
  const params = connect({ id: "webchat-ui", mode: "webchat", token: TOKEN });
  const peers: readonly Peer[] = [
    PAGE,
    { ...LOCAL, origin: "http://localhost:5173" },
    { ...LOCAL, origin: "https://chat.example.org" },
    { ip: "192.0.2.1", local: false, host: "gw.example:8443", origin: "https://gw.example:8443" },
  ];
  for (const peer of peers) {
    assert.equal((await g.admitting(params, { peer })).principal.role, "operator");
  }
});
