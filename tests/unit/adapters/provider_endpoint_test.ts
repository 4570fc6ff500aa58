import assert from "node:assert/strict";
import { type ProviderOptions, readEndpoint } from "../../../src/adapters/provider_endpoint.ts";

function test(name: string, fn: () => void): void {
  Deno.test(name, fn);
}

function read(extra: Partial<ProviderOptions>) {
  return readEndpoint({
    id: "acme",
    api: "openai-completions",
    baseUrl: "http://127.0.0.1:1/v1",
    models: [],
    ...extra,
  });
}

function opened(extra: Partial<ProviderOptions>) {
  const endpoint = read(extra);
  assert.ok(typeof endpoint !== "string", String(endpoint));
  return endpoint;
}

test("an address is taken as its users write it", () => {
  const table: readonly [ProviderOptions["api"], string, string][] = [
    ["openai-completions", "http://localhost:11434/v1", "http://localhost:11434/v1"],
    ["openai-completions", " http://localhost:11434/v1/ ", "http://localhost:11434/v1"],
    ["openai-completions", "https://api.example/api/v1", "https://api.example/api/v1"],
    ["openai-completions", "https://api.example", "https://api.example"],
    ["anthropic-messages", "https://api.anthropic.com", "https://api.anthropic.com/v1"],
    ["anthropic-messages", "https://api.anthropic.com/", "https://api.anthropic.com/v1"],
    ["anthropic-messages", "https://api.anthropic.com/v1", "https://api.anthropic.com/v1"],
    ["anthropic-messages", "https://api.anthropic.com/v1/", "https://api.anthropic.com/v1"],
    ["anthropic-messages", "https://proxy.example/claude", "https://proxy.example/claude/v1"],
  ];
  for (const [api, baseUrl, expected] of table) {
    assert.equal(opened({ api, baseUrl }).baseUrl, expected);
  }
});

test("what cannot be called is refused without its value", () => {
  const table: readonly [Partial<ProviderOptions>, RegExp][] = [
    [{ baseUrl: "" }, /not an http or https address/],
    [{ baseUrl: "secret nonsense" }, /not an http or https address/],
    [{ baseUrl: "file:///secret" }, /not an http or https address/],
    [{ baseUrl: "http://secret:%zz@h/" }, /cannot be decoded/],
    [{ apiKey: "secret\r\nx-evil: 1" }, /apiKey that cannot be sent/],
    [{ apiKey: "secret\u00e9" }, /apiKey that cannot be sent/],
    [{ headers: { "x y": "secret" } }, /header that cannot be sent/],
    [{ headers: { x: "secret\nx-evil: 1" } }, /header that cannot be sent/],
  ];
  for (const [extra, expected] of table) {
    const reason = read(extra);
    assert.ok(typeof reason === "string");
    assert.match(reason, expected);
    assert.doesNotMatch(reason, /secret/);
  }
});

test("everything secret of a provider is known as such", () => {
  const { secrets, host, baseUrl } = opened({
    baseUrl: "https://joe-user:p%40ssword@h.example:8443/v1?key=query-secret",
    apiKey: " padded-key\n",
    headers: { "X-One": "header-secret", "X-Flag": "1", "X-Auth": "Bearer token-secret" },
  });
  assert.equal(host, "h.example:8443");
  assert.equal(baseUrl, "https://h.example:8443/v1");
  for (
    const secret of [
      "joe-user",
      "p@ssword",
      "p%40ssword",
      "query-secret",
      "padded-key",
      "header-secret",
      "token-secret",
      "Bearer token-secret",
      btoa("joe-user:p@ssword"),
    ]
  ) assert.ok(secrets.includes(secret), secret);
  assert.ok(!secrets.includes("1") && !secrets.includes("Bearer") && !secrets.includes(""));
});
