import assert from "node:assert/strict";
import { wireIssues } from "../../../src/config/wire_guard.ts";
import type { JsonObject } from "../../../src/services/settings_codec.ts";

function issues(from: string | undefined, to: string): readonly string[] {
  const document = (endpoint: string | undefined): JsonObject => ({
    channels: { websocket: { auth: endpoint === undefined ? {} : { endpoint } } },
  });
  const change = { current: document(from), brought: document(to), next: document(to) };
  return wireIssues(change, {}).map(({ path }) => path);
}

Deno.test("no wire moves the identity service to a link-local or metadata address", () => {
  const path = "channels.websocket.auth.endpoint";
  for (const host of ["169.254.169.254", "[fe80::1]", "metadata.google.internal", "0xa9fea9fe"]) {
    assert.deepEqual(issues("http://localhost:3000/", `http://${host}/verify`), [path], host);
    assert.deepEqual(issues(`http://${host}/verify`, `http://${host}/verify`), [], host);
  }
  assert.deepEqual(issues(undefined, "http://localhost:3000/verify"), []);
});
