import assert from "node:assert/strict";
import { chatOverrides, chatSettings } from "../../../src/config/chat_options.ts";
import { parseConfig } from "../../../src/config/parse.ts";

const PLACES = { stateDir: "/state", home: "/home/ann" };

function config(websocket: unknown) {
  const parsed = parseConfig({ channels: websocket === undefined ? {} : { websocket } }, {
    env: {},
  });
  assert.deepEqual(parsed.issues, []);
  return parsed.config;
}

Deno.test("the environment's words for on and off, and what is neither", () => {
  const table: readonly [string, boolean | undefined][] = [
    ["true", true],
    ["1", true],
    ["TRUE", true],
    ["false", false],
    ["0", false],
    ["", undefined],
  ];
  for (const [word, enabled] of table) {
    const { overrides, issues } = chatOverrides({ WS_AUTH_ENABLED: word });
    assert.deepEqual([overrides.enabled, issues], [enabled, []], word);
  }
  const { issues } = chatOverrides({ WS_AUTH_ENABLED: "yes", WS_AUTH_ENDPOINT: "ftp://x" });
  assert.deepEqual(issues, [
    { path: "WS_AUTH_ENABLED", message: 'must be true, 1, false or 0; got "yes"' },
    {
      path: "WS_AUTH_ENDPOINT",
      message: "must be an address that begins with http:// or https://",
    },
  ]);
});

Deno.test("a gateway whose settings do not name the channel has it off", () => {
  const settings = chatSettings(config(undefined), { overrides: {}, places: PLACES });
  assert.deepEqual([settings.enabled, settings.configured], [false, false]);
});

Deno.test("an empty section has the document's defaults, folders in the state folder", () => {
  const settings = chatSettings(config({}), { overrides: {}, places: PLACES });
  assert.deepEqual([settings.enabled, settings.path, settings.gatewayPath], [true, "/ws", "/chat"]);
  assert.deepEqual(settings.auth, {
    enabled: true,
    endpoint: "http://localhost:3000/api/auth/verify",
    timeout: 5_000,
    required: true,
  });
  assert.equal(settings.ownAgents, undefined);
  assert.equal(settings.media.folder, "/state/media");
});

Deno.test("the environment counts before the file; home folders are filled in", () => {
  const settings = chatSettings(
    config({
      auth: { enabled: false, endpoint: "http://file/" },
      dynamicAgentCreation: { enabled: true, workspaceTemplate: "~/w/{agentId}", maxAgents: 3 },
      media: { folder: "~/in" },
    }),
    { overrides: { enabled: true, endpoint: "http://env/" }, places: PLACES },
  );
  assert.deepEqual([settings.auth.enabled, settings.auth.endpoint], [true, "http://env/"]);
  assert.deepEqual(settings.ownAgents, {
    workspaceTemplate: "/home/ann/w/{agentId}",
    agentDirTemplate: "/state/agents/{agentId}/agent",
    maxAgents: 3,
    useConfigured: false,
  });
  assert.equal(settings.media.folder, "/home/ann/in");
});

Deno.test("settings that cannot be are refused with their path", () => {
  const table: readonly [unknown, string][] = [
    [{ auth: { timeout: 999 } }, "auth.timeout"],
    [{ auth: { endpoint: "localhost:3000" } }, "auth.endpoint"],
    [{ dynamicAgentCreation: { maxAgents: 0 } }, "dynamicAgentCreation.maxAgents"],
    [
      { dynamicAgentCreation: { workspaceTemplate: "/shared" } },
      "dynamicAgentCreation.workspaceTemplate",
    ],
    [{ path: "ws" }, "path"],
    [{ gatewayPath: "/healthz" }, "gatewayPath"],
    [{ gatewayPath: "/metrics" }, "gatewayPath"],
    [{ streamMode: "all" }, "streamMode"],
    [{ allowedOrigins: ["*"] }, "allowedOrigins.0"],
  ];
  for (const [websocket, path] of table) {
    const { issues } = parseConfig({ channels: { websocket } }, { env: {} });
    assert.deepEqual(issues.map((issue) => issue.path), [`channels.websocket.${path}`]);
  }
});

Deno.test("on its own port the channel may have any path", () => {
  assert.equal(config({ path: "/health" }).channels.websocket?.path, "/health");
});
