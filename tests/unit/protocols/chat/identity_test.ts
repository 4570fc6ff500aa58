import assert from "node:assert/strict";
import { Disconnect } from "../../../../src/core/error.ts";
import { FailureLimiter } from "../../../../src/core/rate.ts";
import type { IdentityAnswer, IdentityQuestion } from "../../../../src/ports/identity.ts";
import { type AuthSettings, identify } from "../../../../src/protocols/chat/identity.ts";
import { isPeerId as isId } from "../../../../src/services/channel_name.ts";

const AUTH: AuthSettings = { enabled: true, endpoint: "http://x/", timeout: 5, required: true };

function stage(answer: IdentityAnswer, change: Partial<AuthSettings> = {}) {
  const asked: IdentityQuestion[] = [];
  const limits = { failures: 2, windowMs: 60_000, lockMs: 60_000 };
  const failures = new FailureLimiter(() => 0, limits);
  const come = (shown: Readonly<Record<string, string>>, address = "192.0.2.1") =>
    identify({ shown, address }, {
      auth: { ...AUTH, ...change },
      service: {
        verify: (question) => {
          asked.push(question);
          return Promise.resolve(answer);
        },
      },
      failures,
      newId: () => "made-up",
      isId,
      signal: new AbortController().signal,
    });
  return { asked, come };
}

async function turnedAway(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof Disconnect, String(error));
  return `${error.code} ${error.reason}: ${error.answer?.message}`;
}

Deno.test("the service is shown every parameter and decides alone", async () => {
  const { asked, come } = stage({
    ok: true,
    userId: "u1",
    username: "Jo",
    avatar: "http://x/a",
    extra: [1],
  });
  assert.deepEqual(await come({ token: "t", senderId: "eve", senderName: "Eve", x: "y" }), {
    userId: "u1",
    username: "Jo",
    verified: true,
    guest: false,
    passing: false,
    profile: { avatar: "http://x/a", extra: [1] },
  });
  const shown = { token: "t", senderId: "eve", senderName: "Eve", x: "y", tokenType: "local" };
  assert.deepEqual(asked, [{ endpoint: "http://x/", timeoutMs: 5, shown }]);
  await come({ token: "t", tokenType: "jwt" });
  assert.equal(asked.at(-1)?.shown.tokenType, "jwt");
});

Deno.test("tokens that are none are not asked about", async () => {
  const { asked, come } = stage({ ok: true, userId: "u1" });
  const none = "4401 Token required: Token required. Connect with ?token=YOUR_TOKEN";
  for (const token of ["", "  ", "undefined", "NULL", "[object Object]"]) {
    assert.equal(await turnedAway(come({ token })), none);
  }
  assert.equal(await turnedAway(come({})), none);
  assert.deepEqual(asked, []);
});

Deno.test("refusals lock their address out, failures of the service do not", async () => {
  const refused = stage({ ok: false, code: "expired", refused: true });
  const says = (code: string) => `4401 Authentication failed: Authentication failed: ${code}`;
  assert.equal(await turnedAway(refused.come({ token: "a" })), says("expired"));
  assert.equal(await turnedAway(refused.come({ token: "b" })), says("expired"));
  assert.equal(await turnedAway(refused.come({ token: "c" })), says("too_many_attempts"));
  assert.equal(await turnedAway(refused.come({ token: "c" }, "192.0.2.2")), says("expired"));
  const broken = stage({ ok: false, code: "timeout", refused: false });
  for (let at = 0; at < 5; at++) {
    assert.equal(await turnedAway(broken.come({ token: "a" })), says("timeout"));
  }
});

Deno.test("guesses that are answered behind the lock tell nothing, not even the right one", async () => {
  const limits = { failures: 2, windowMs: 60_000, lockMs: 60_000 };
  const failures = new FailureLimiter(() => 0, limits);
  const pending: ((answer: IdentityAnswer) => void)[] = [];
  const come = (token: string) =>
    identify({ shown: { token }, address: "192.0.2.1" }, {
      auth: AUTH,
      service: { verify: () => new Promise((resolve) => pending.push(resolve)) },
      failures,
      newId: () => "made-up",
      isId,
      signal: new AbortController().signal,
    });
  const guesses = ["a", "b", "right"].map((token) => turnedAway(come(token)));
  for (const answer of pending.slice(0, 2)) answer({ ok: false, code: "no", refused: true });
  await Promise.all(guesses.slice(0, 2));
  pending[2]?.({ ok: true, userId: "victim" });
  assert.match(await guesses[2]!, /too_many_attempts/);
});

Deno.test("an id that cannot be a user's is no identity", async () => {
  const { come } = stage({ ok: true, userId: "a\u0000" });
  assert.match(await turnedAway(come({ token: "t" })), /auth_failed$/);
});

Deno.test("a stranger is a guest where others are known, and whom they say where nobody is asked", async () => {
  const optional = stage({ ok: false, code: "expired", refused: true }, { required: false });
  const guest = { verified: false, guest: true };
  assert.deepEqual(await optional.come({ token: "bad", senderId: "ann", senderName: "Ann" }), {
    userId: "ann",
    username: "Ann",
    ...guest,
    passing: false,
  });
  assert.deepEqual(await optional.come({}), { userId: "made-up", ...guest, passing: true });
  const open = stage({ ok: true, userId: "x" }, { enabled: false });
  assert.deepEqual(await open.come({ senderId: "ann", token: "t" }), {
    userId: "ann",
    verified: false,
    guest: false,
    passing: false,
  });
  assert.deepEqual(open.asked, []);
  assert.match(await turnedAway(open.come({ senderId: "a\ufffd" })), /^1008 Invalid senderId/);
});
