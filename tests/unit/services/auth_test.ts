import assert from "node:assert/strict";
import { checked, isDeviceId } from "../../../src/core/id.ts";
import type { Peer } from "../../../src/core/peer.ts";
import {
  Authenticator,
  type AuthOptions,
  failureSource,
  isUnguessable,
  isUsableSecret,
  LOCAL_PACE,
  LOCK_OUT,
  PROXY_LOCK_OUT,
} from "../../../src/services/auth.ts";
import { MemoryLog } from "../../support/memory_log.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const TOKEN = "a-long-shared-token";
const PROGRAM: Peer = { ip: "127.0.0.1", local: true, host: "localhost:18789" };
const PAGE: Peer = { ...PROGRAM, origin: "http://localhost:18789" };
const ELSEWHERE: Peer = { ip: "192.0.2.7", local: false };

function authenticator(options: Partial<AuthOptions> = {}) {
  const clock = new ManualClock();
  const settings: AuthOptions = { mode: "token", token: TOKEN, ...options };
  const log = new MemoryLog();
  return { clock, log, auth: new Authenticator({ clock, options: () => settings, log }) };
}

Deno.test("the secret of the configured mode is the only one that counts", async () => {
  const { auth } = authenticator({ password: "other" });
  assert.equal(await auth.check({ token: TOKEN }), "ok");
  assert.equal(await auth.check({ password: "other" }), "missing");
  assert.equal(await auth.check({ token: "other" }), "mismatch");
  const { auth: byPassword } = authenticator({ mode: "password", password: "pass word" });
  assert.equal(await byPassword.check({ password: "pass word" }), "ok");
  assert.equal(await byPassword.check({ token: "pass word" }), "missing");
  assert.equal(await byPassword.check({ token: TOKEN }), "missing");
});

Deno.test("what is no secret is refused, whatever the gateway's own is", async () => {
  const presented: readonly [unknown, string][] = [
    [undefined, "missing"],
    [null, "missing"],
    ["", "missing"],
    ["  \t", "missing"],
    [["a-long-shared-token"], "missing"],
    [{ token: TOKEN }, "missing"],
    [42, "missing"],
    ["undefined", "mismatch"],
    ["null", "mismatch"],
    ["[object Object]", "mismatch"],
  ];
  for (const configured of [TOKEN, "null"]) {
    const { auth } = authenticator({ token: configured });
    for (const [token, verdict] of presented) {
      const expected = configured === TOKEN ? verdict : "unconfigured";
      assert.equal(await auth.check({ token }), expected, String(token));
    }
  }
});

Deno.test("a gateway whose own secret is absent, blank or the name of nothing admits nobody", async () => {
  for (const token of [undefined, "", "   ", "undefined", "NULL", "null ", {}, ["x"], 7]) {
    const { auth } = authenticator({ token });
    assert.equal(isUsableSecret(token), false);
    assert.equal(await auth.check({ token }), "unconfigured");
    assert.equal((await auth.authorizeBearer(`Bearer ${String(token)}`, PROGRAM)).ok, false);
  }
});

Deno.test("settings are read anew for each check", async () => {
  let options: AuthOptions = { mode: "token", token: TOKEN };
  const auth = new Authenticator({ clock: new ManualClock(), options: () => options });
  assert.equal(await auth.check({ token: TOKEN }), "ok");
  options = { mode: "password", password: "changed" };
  assert.equal(await auth.check({ token: TOKEN }), "missing");
  assert.equal(await auth.check({ password: "changed" }), "ok");
});

Deno.test("a thousand wrong bearers are locked out after ten, even all at once; elsewhere nothing changes", async () => {
  for (const mode of ["in turn", "at once"]) {
    const { auth, clock } = authenticator();
    const answers: string[] = [];
    const attempt = async (n: number) => {
      const verdict = await auth.authorizeBearer(`Bearer guess-${n}`, PAGE);
      answers.push(verdict.ok ? "ok" : verdict.reason);
    };
    if (mode === "at once") {
      await Promise.all(Array.from({ length: 1000 }, (_, n) => attempt(n)));
    } else {
      for (let n = 0; n < 1000; n++) await attempt(n);
    }
    assert.equal(answers.filter((answer) => answer === "mismatch").length, LOCK_OUT.failures);
    assert.equal(answers.filter((answer) => answer === "locked").length, 990);
    assert.deepEqual(await auth.authorizeBearer(`Bearer ${TOKEN}`, PAGE), {
      ok: false,
      reason: "locked",
      retryAfterMs: LOCK_OUT.lockMs,
    });
    assert.deepEqual(await auth.authorizeBearer(`Bearer ${TOKEN}`, PROGRAM), { ok: true });
    assert.deepEqual(await auth.authorizeBearer(`Bearer ${TOKEN}`, ELSEWHERE), { ok: true });
    await clock.advance(LOCK_OUT.lockMs);
    assert.deepEqual(await auth.authorizeBearer(`Bearer ${TOKEN}`, PAGE), { ok: true });
  }
});

Deno.test("a missing secret is no guess and locks nobody out", async () => {
  const { auth } = authenticator();
  for (const header of [undefined, "", "Basic abc", "Bearer", "Bearer   "]) {
    for (let n = 0; n < 5; n++) {
      assert.deepEqual(await auth.authorizeBearer(header, PROGRAM), {
        ok: false,
        reason: "missing",
      });
    }
  }
  assert.equal(auth.lockedFor(PROGRAM), 0);
});

Deno.test("failures of every kind count against one source", async () => {
  const { auth } = authenticator();
  for (let n = 0; n < 5; n++) {
    await auth.authorizeBearer(`Bearer guess-${n}`, ELSEWHERE);
    auth.failed(ELSEWHERE);
  }
  assert.equal(auth.lockedFor(ELSEWHERE), LOCK_OUT.lockMs);
});

Deno.test("a source is an address or an IPv6 network, pages apart from programs", () => {
  const cases: readonly [string, string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["0:0:0:0:0:FFFF:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:0db8:0001:0002::9", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["::1", "0:0:0:0"],
  ];
  for (const [ip, network] of cases) {
    assert.equal(failureSource({ ip, local: false }), `${network} remote program`);
    assert.equal(failureSource({ ip, local: false, origin: "null" }), `${network} remote page`);
    assert.equal(failureSource({ ip, local: true }), `${network} local program`);
    const proxy = { ip, local: false, forwarded: true };
    assert.equal(failureSource(proxy), `${network} forwarded program`);
    assert.equal(
      failureSource({ ...proxy, claimedIp: "2001:DB8::1" }),
      `${network} for 2001:db8:0:0 program`,
    );
  }
});

const PROXY: Peer = { ip: "127.0.0.1", local: false, forwarded: true };
/** As the gateway makes them. */
const MADE = "0123456789abcdef".repeat(3);

async function guesses(auth: Authenticator, peer: Peer, count: number): Promise<readonly string[]> {
  const answers: string[] = [];
  for (let n = 0; n < count; n++) {
    const verdict = await auth.authorizeBearer(`Bearer guess-${n}`, peer);
    answers.push(verdict.ok ? "ok" : verdict.reason);
  }
  return answers;
}

Deno.test("whoever guesses through a proxy of this host locks out neither its programs nor its pages", async () => {
  const { auth } = authenticator();
  const answers = await guesses(auth, PROXY, 1000);
  assert.equal(answers.filter((answer) => answer === "mismatch").length, LOCK_OUT.failures);
  assert.equal((await auth.authorizeBearer(`Bearer ${TOKEN}`, PROXY)).ok, false);
  for (const peer of [PROGRAM, PAGE, ELSEWHERE, { ...PROXY, claimedIp: "192.0.2.1" }]) {
    assert.deepEqual(await auth.authorizeBearer(`Bearer ${TOKEN}`, peer), { ok: true });
  }
});

Deno.test("a proxy that is not trusted tells clients apart up to a bound for all of them", async () => {
  const { auth } = authenticator();
  const client = (n: number): Peer => ({ ...PROXY, claimedIp: `198.51.100.${n}` });
  await guesses(auth, client(1), LOCK_OUT.failures);
  assert.equal((await auth.authorizeBearer(`Bearer ${TOKEN}`, client(1))).ok, false);
  assert.equal((await auth.authorizeBearer(`Bearer ${TOKEN}`, client(2))).ok, true);
  let wrong: number = LOCK_OUT.failures;
  for (let n = 2; n < 200; n++) {
    wrong += (await guesses(auth, client(n), 1)).filter((answer) => answer === "mismatch").length;
  }
  assert.equal(wrong, PROXY_LOCK_OUT.failures);
  assert.equal((await auth.authorizeBearer(`Bearer ${TOKEN}`, client(250))).ok, false);
  assert.equal((await auth.authorizeBearer(`Bearer ${TOKEN}`, PROGRAM)).ok, true);
});

Deno.test("a program of this host that guesses is slowed down to one guess a second, not locked out", async () => {
  const { auth, clock } = authenticator();
  const first = await guesses(auth, PROGRAM, 100);
  assert.equal(first.filter((answer) => answer === "mismatch").length, LOCAL_PACE.failures);
  assert.deepEqual(await auth.authorizeBearer(`Bearer ${TOKEN}`, PROGRAM), {
    ok: false,
    reason: "locked",
    retryAfterMs: LOCAL_PACE.lockMs,
  });
  for (let second = 0; second < 5; second++) {
    await clock.advance(LOCAL_PACE.lockMs);
    assert.deepEqual((await guesses(auth, PROGRAM, 20)).slice(0, 2), ["mismatch", "locked"]);
  }
  await clock.advance(LOCAL_PACE.lockMs);
  assert.deepEqual(await auth.authorizeBearer(`Bearer ${TOKEN}`, PROGRAM), { ok: true });
});

Deno.test("no guessing keeps this host's programs from a secret that nobody guesses", async () => {
  const { auth } = authenticator({ token: MADE });
  const answers = await guesses(auth, PROGRAM, 100);
  assert.equal(answers.filter((answer) => answer === "mismatch").length, LOCAL_PACE.failures);
  assert.deepEqual(await auth.authorizeBearer(`Bearer ${MADE}`, PROGRAM), { ok: true });
  await guesses(auth, PAGE, LOCK_OUT.failures);
  assert.equal((await auth.authorizeBearer(`Bearer ${MADE}`, PAGE)).ok, false);
  for (const weak of ["short", "x".repeat(64), 7, undefined]) {
    assert.equal(isUnguessable(weak), false);
  }
});

Deno.test("the digest of the gateway's own secret is made once for each secret", async () => {
  let options: AuthOptions = { mode: "token", token: MADE };
  const auth = new Authenticator({ clock: new ManualClock(), options: () => options });
  const { digest } = crypto.subtle;
  let digests = 0;
  crypto.subtle.digest = (...args) => {
    digests++;
    return digest.apply(crypto.subtle, args);
  };
  try {
    for (let n = 0; n < 10; n++) assert.equal(await auth.check({ token: MADE }), "ok");
    assert.equal(digests, 11);
    options = { mode: "token", token: TOKEN };
    assert.equal(await auth.check({ token: MADE }), "mismatch");
    assert.equal(await auth.check({ token: TOKEN }), "ok");
    assert.equal(digests, 14);
  } finally {
    crypto.subtle.digest = digest;
  }
});

Deno.test("the log says once who is locked out, and for how long", async () => {
  const { auth, clock, log } = authenticator();
  const guess = async (peer: Peer, times: number) => {
    for (let at = 0; at < times; at++) await auth.authorizeBearer("Bearer wrong-guess", peer);
  };
  await guess(ELSEWHERE, LOCK_OUT.failures - 1);
  assert.deepEqual(log.lines, []);
  await guess(ELSEWHERE, LOCK_OUT.failures);
  await guess(PROGRAM, LOCAL_PACE.failures);
  for (let at = 0; at < 5; at++) {
    await clock.advance(LOCAL_PACE.lockMs);
    await guess(PROGRAM, 1);
  }
  for (let at = 0; at < LOCK_OUT.failures; at++) {
    auth.deviceFailed(checked("d".repeat(64), isDeviceId));
  }
  const forwarded: Peer = { ip: "192.0.2.1", local: false, forwarded: true };
  for (let at = 0; at < PROXY_LOCK_OUT.failures; at++) {
    auth.failed({ ...forwarded, claimedIp: `198.51.100.${at}` });
  }
  assert.deepEqual(
    log.lines.map(({ level, message, fields }) => [level, message, JSON.stringify(fields)]),
    [
      { address: "192.0.2.7", seconds: 300 },
      { address: "127.0.0.1", seconds: 1 },
      { device: "d".repeat(64), seconds: 300 },
      { proxy: "192.0.2.1", seconds: 300 },
    ].map((fields) => ["warn", "locked out after too many wrong secrets", JSON.stringify(fields)]),
  );
});
