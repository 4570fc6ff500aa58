import assert from "node:assert/strict";
import {
  defaultConfig,
  parseConfig,
  resolvePlaces,
  resolveSecret,
  resolveServe,
} from "../../../src/config.ts";

const TOKEN = "a-token-of-fair-length";

Deno.test("flag counts before environment, file and default", () => {
  const { config } = parseConfig(
    { gateway: { port: 3, bind: "lan", auth: { token: "file-token-0123456789" } } },
    { env: {} },
  );
  const document = { gateway: { port: 3, bind: "lan" } };
  const flags = { port: "1", bind: "10.0.0.1", token: "flag-token-0123456789" };
  const env = {
    CLAWGATE_PORT: "2",
    CLAWGATE_BIND: "10.0.0.2",
    CLAWGATE_TOKEN: "env-token-0123456789",
  };
  const table = [
    [{ flags, env, config, document }, [1, "flag"], ["10.0.0.1", "flag"], [flags.token, "flag"]],
    [
      { flags: {}, env, config, document },
      [2, "environment"],
      ["10.0.0.2", "environment"],
      [env.CLAWGATE_TOKEN, "environment"],
    ],
    [
      { flags: {}, env: {}, config, document },
      [3, "file"],
      ["lan", "file"],
      ["file-token-0123456789", "file"],
    ],
    [
      { flags: {}, env: {}, config: defaultConfig() },
      [18789, "default"],
      ["loopback", "default"],
      undefined,
    ],
  ] as const;
  for (const [options, port, bind, token] of table) {
    const resolved = resolveServe(options);
    assert.ok(resolved.ok);
    assert.deepEqual([resolved.value.port.value, resolved.value.port.source], port);
    assert.deepEqual([resolved.value.bind.value, resolved.value.bind.source], bind);
    const found = resolved.value.token;
    assert.deepEqual(found === undefined ? undefined : [found.value, found.source], token);
  }
});

Deno.test("bad flags and variables are refused by name, secrets unrepeated", () => {
  const table: readonly [Record<string, string>, Record<string, string>, string, RegExp][] = [
    [{ port: "abc" }, {}, "--port", /from 0 to 65535, such as 18789; got "abc"$/],
    [{ port: "70000" }, {}, "--port", /got "70000"$/],
    [{ port: "" }, {}, "--port", /got ""$/],
    [{ port: "1e3" }, {}, "--port", /got "1e3"$/],
    [{ port: " 80" }, {}, "--port", /got " 80"$/],
    [{ port: "-1" }, {}, "--port", /got "-1"$/],
    [{}, { CLAWGATE_PORT: "abc" }, "CLAWGATE_PORT", /got "abc"$/],
    [{}, { CLAWGATE_PORT: "" }, "CLAWGATE_PORT", /got ""$/],
    [{ bind: "no way" }, {}, "--bind", /got "no way"$/],
    [{ bind: "custom" }, {}, "--bind", /needs gateway.customBindHost/],
    [{}, { CLAWGATE_BIND: "" }, "CLAWGATE_BIND", /got ""$/],
    [{ token: "" }, {}, "--token", /^must not be blank/],
    [{ token: "undefined" }, {}, "--token", /^is a placeholder; set a secret of your own$/],
    [{}, { CLAWGATE_TOKEN: "null" }, "CLAWGATE_TOKEN", /^is a placeholder/],
    [{}, { CLAWGATE_TOKEN: "   " }, "CLAWGATE_TOKEN", /^must not be blank/],
    [{}, { CLAWGATE_TOKEN: "changeme" }, "CLAWGATE_TOKEN", /^is a placeholder/],
  ];
  for (const [flags, env, path, message] of table) {
    const resolved = resolveServe({ flags, env, config: defaultConfig() });
    assert.ok(!resolved.ok);
    assert.equal(resolved.issues.length, 1);
    assert.equal(resolved.issues[0]?.path, path);
    assert.match(resolved.issues[0]?.message ?? "", message);
  }
});

Deno.test("the kind of secret follows what is set", () => {
  const table: readonly [Record<string, string>, string | undefined][] = [
    [{}, "token"],
    [{ token: TOKEN }, "token"],
    [{ password: "correct horse battery" }, "password"],
    [{ password: "correct horse battery", token: TOKEN }, "token"],
    [{ password: "correct horse battery", mode: "password" }, "password"],
    [{ mode: "password" }, undefined],
  ];
  for (const [auth, mode] of table) {
    const { config, issues } = parseConfig({ gateway: { auth } }, { env: {} });
    if (mode === undefined) {
      assert.deepEqual(issues.map(({ path }) => path), ["gateway.auth.password"]);
      continue;
    }
    const resolved = resolveServe({ flags: {}, env: {}, config });
    assert.equal(resolved.ok ? resolved.value.mode : undefined, mode, JSON.stringify(auth));
  }
});

Deno.test("the token of the file counts before that of the state folder, those of outside before both", () => {
  const stateToken = "state-token-0123456789";
  const table = [
    [{ auth: {}, flags: {}, env: {} }, [stateToken, "state folder"]],
    [{ auth: { token: TOKEN }, flags: {}, env: {} }, [TOKEN, "file"]],
    [{ auth: { token: TOKEN }, flags: {}, env: { CLAWGATE_TOKEN: "e" } }, ["e", "environment"]],
    [{ auth: { token: TOKEN }, flags: { token: "f" }, env: {} }, ["f", "flag"]],
  ] as const;
  for (const [options, [value, source]] of table) {
    const secret = resolveSecret({ ...options, stateToken });
    assert.equal(secret.mode, "token");
    assert.deepEqual(secret.token, { value, source });
  }
  const password = resolveSecret({ flags: {}, env: {}, auth: { password: TOKEN }, stateToken });
  assert.equal(password.mode, "password");
});

Deno.test("places come from flag, environment, home", () => {
  const env = { CLAWGATE_STATE_DIR: "~/state", CLAWGATE_CONFIG: "/etc/c.yaml" };
  const table = [
    [{ flags: { stateDir: "/s", config: "~/c.json" }, env }, ["/s", "flag"], ["/h/c.json", "flag"]],
    [{ flags: {}, env }, ["/h/state", "environment"], ["/etc/c.yaml", "environment"]],
    [{ flags: {}, env: {} }, ["/h/.clawgate", "default"], undefined],
  ] as const;
  for (const [options, state, config] of table) {
    const resolved = resolvePlaces({ ...options, home: "/h" });
    assert.ok(resolved.ok);
    const { stateDir, config: named } = resolved.value;
    assert.deepEqual([stateDir.value, stateDir.source], state);
    assert.deepEqual(named === undefined ? undefined : [named.value, named.source], config);
  }
  const bad: readonly [
    Record<string, string>,
    Record<string, string>,
    string | undefined,
    string,
  ][] = [
    [{}, {}, undefined, "--state-dir"],
    [{ stateDir: " " }, {}, "/h", "--state-dir"],
    [{ stateDir: "undefined" }, {}, "/h", "--state-dir"],
    [{ stateDir: "~/x" }, {}, undefined, "--state-dir"],
    [{}, { CLAWGATE_STATE_DIR: "" }, "/h", "CLAWGATE_STATE_DIR"],
    [{}, { CLAWGATE_CONFIG: "null" }, "/h", "CLAWGATE_CONFIG"],
    [{ config: "a\0b" }, {}, "/h", "--config"],
  ];
  for (const [flags, variables, home, path] of bad) {
    const resolved = resolvePlaces({ flags, env: variables, home });
    assert.ok(!resolved.ok);
    assert.deepEqual(resolved.issues.map((issue) => issue.path), [path]);
  }
});

Deno.test("a secret that the file takes from an environment not known here is set, and absent", () => {
  const resolved = (auth: Parameters<typeof resolveSecret>[0]["auth"], token?: string) =>
    resolveSecret({
      flags: token === undefined ? {} : { token },
      env: {},
      auth,
      stateToken: "token-of-the-folder",
    });
  assert.deepEqual(resolved({ unset: ["token"] }), {
    mode: "token",
    token: undefined,
    password: undefined,
  });
  assert.equal(resolved({ unset: ["password"] }).mode, "password");
  assert.equal(resolved({ unset: ["password"] }).password, undefined);
  assert.equal(resolved({ unset: ["password", "token"] }).mode, "token");
  assert.equal(resolved({ unset: ["token"] }, "from-a-flag").token?.value, "from-a-flag");
  assert.equal(resolved({}).token?.value, "token-of-the-folder");
});
