import { connect, PAGE, signed, testRefusals, UI } from "../../../../support/admission_stage.ts";

const PASSWORD = { mode: "password", password: "open sesame" } as const;

testRefusals([
  {
    name: "a wrong token",
    message: "unauthorized: gateway token mismatch (provide gateway auth token)",
    connect: () => connect({ token: "wrong" }),
  },
  {
    name: "a wrong token with a device",
    message: "unauthorized: gateway token mismatch (provide gateway auth token)",
    connect: (g, device) => signed(device, { token: "wrong", at: g.clock.now() }),
  },
  {
    name: "no token, device unknown",
    message: "unauthorized: gateway token missing (provide gateway auth token)",
    connect: (g, device) => signed(device, { at: g.clock.now() }),
  },
  {
    name: "the text undefined as a token",
    message: "unauthorized: gateway token mismatch (provide gateway auth token)",
    connect: () => connect({ token: "undefined" }),
  },
  {
    name: "a gateway without a usable token",
    message: "unauthorized: gateway token not configured on gateway (set gateway.auth.token)",
    options: { token: "  " },
    connect: () => connect({ token: "  x" }),
  },
  {
    name: "a wrong token of a command line",
    message:
      "unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)",
    connect: () => connect({ id: "cli", mode: "cli", token: "wrong" }),
  },
  {
    name: "a wrong token of the dashboard",
    message:
      "unauthorized: gateway token mismatch (open a tokenized dashboard URL or paste token in Control UI settings)",
    peer: PAGE,
    connect: (g, device) => signed(device, { id: UI, mode: "ui", token: "no", at: g.clock.now() }),
  },
  {
    name: "no token of a web chat",
    message:
      "unauthorized: gateway token missing (open a tokenized dashboard URL or paste token in Control UI settings)",
    peer: PAGE,
    connect: (g, device) => signed(device, { id: "webchat", mode: "webchat", at: g.clock.now() }),
  },
  {
    name: "a wrong password",
    message: "unauthorized: gateway password mismatch (provide gateway auth password)",
    options: PASSWORD,
    connect: () => connect({ password: "wrong" }),
  },
  {
    name: "the password as a token",
    message: "unauthorized: gateway password missing (provide gateway auth password)",
    options: PASSWORD,
    connect: () => connect({ token: PASSWORD.password }),
  },
  {
    name: "a wrong password of a command line",
    message:
      "unauthorized: gateway password mismatch (set gateway.remote.password to match gateway.auth.password)",
    options: PASSWORD,
    connect: () => connect({ id: "cli", mode: "cli", password: "wrong" }),
  },
  {
    name: "a wrong password of the dashboard",
    message: "unauthorized: gateway password mismatch (enter the password in Control UI settings)",
    options: PASSWORD,
    peer: PAGE,
    connect: (g, device) =>
      signed(device, { id: UI, mode: "ui", password: "no", at: g.clock.now() }),
  },
]);
