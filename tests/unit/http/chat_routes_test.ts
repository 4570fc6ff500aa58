import assert from "node:assert/strict";
import { chatMount, chatServe } from "../../../src/http/chat_routes.ts";
import { setChatStage } from "../../support/chat_stage.ts";
import { settle } from "../../support/manual_clock.ts";

interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly ip?: string;
  readonly upgrade?: boolean;
}

function stage(auth: Parameters<typeof setChatStage>[0] = {}) {
  const made = setChatStage(auth);
  const connected: Readonly<Record<string, string>>[] = [];
  const bounds: (number | undefined)[] = [];
  const serve = chatServe({
    chat: made.chat,
    trustedProxies: () => [],
    allowedHosts: () => [],
    connect: (_socket, { shown }) => connected.push(shown),
  });
  const ask = async ({ path = "/ws", method = "GET", headers, body, ip, upgrade }: Asked) => {
    const request = new Request(`http://gateway.invalid${path}`, {
      method,
      headers: { host: "127.0.0.1:18800", ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const response = await serve(request, {
      remoteAddress: ip ?? "127.0.0.1",
      secure: false,
      ...(upgrade === true
        ? {
          upgrade: (_accept: unknown, options?: { maxMessageBytes?: number }) => {
            bounds.push(options?.maxMessageBytes);
            connected.push({});
            return new Response(null, { status: 204 });
          },
        }
        : {}),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return { ...made, ask, connected, bounds };
}

const REFUSED: readonly [Asked, number][] = [
  [{}, 426],
  [{ path: "/" }, 404],
  [{ path: "/ws/" }, 404],
  [{ path: "/ws/media" }, 405],
  [{ headers: { host: "evil.example" }, upgrade: true }, 403],
  [{ headers: { origin: "https://evil.example" }, upgrade: true }, 403],
  [{ headers: { origin: "null" }, upgrade: true }, 403],
  [{ ip: "192.0.2.1", upgrade: true }, 403],
  [{ headers: { "x-forwarded-for": "127.0.0.1" }, upgrade: true }, 403],
  [{ path: "/ws/media", method: "POST", body: "x", headers: { "content-type": "nonsense" } }, 415],
];

for (const [asked, status] of REFUSED) {
  Deno.test(`the chat port answers ${JSON.stringify(asked)} with ${status}`, async () => {
    const { ask, connected } = stage();
    assert.equal((await ask(asked)).status, status);
    assert.deepEqual(connected, []);
  });
}

Deno.test("an upgrade at the path is taken, with the bound of its messages", async () => {
  const { ask, bounds, chatSettings } = stage();
  assert.equal((await ask({ upgrade: true })).status, 204);
  assert.deepEqual(bounds, [1024 * 1024]);
  chatSettings.allowedOrigins = ["https://app.example"];
  const headers = { origin: "https://app.example" };
  assert.equal((await ask({ upgrade: true, headers })).status, 204);
  chatSettings.enabled = false;
  assert.equal((await ask({ upgrade: true })).status, 404);
});

Deno.test("on the gateway's port the channel has its own path and leaves all others alone", () => {
  const { chat, chatSettings } = setChatStage();
  const mount = chatMount({
    chat,
    trustedProxies: () => [],
    allowedHosts: () => [],
    connect: () => {},
  });
  const ask = (path: string) =>
    mount(new Request(`http://gateway.invalid${path}`), {
      peer: { ip: "127.0.0.1", local: true },
      upgrade: undefined,
    });
  assert.equal(ask("/ws"), undefined);
  assert.equal(ask("/"), undefined);
  assert.notEqual(ask("/chat"), undefined);
  chatSettings.enabled = false;
  assert.equal(ask("/chat"), undefined);
});

Deno.test("an upload is stored for whom the token belongs to, wherever the token stands", async () => {
  const { ask, questions, chatSettings } = stage({ enabled: true });
  chatSettings.allowedOrigins = ["https://app.example"];
  const post = (path: string, headers: Readonly<Record<string, string>> = {}) =>
    ask({
      path,
      method: "POST",
      body: "abc",
      headers: { "content-type": "image/png", ...headers },
    });
  assert.equal((await post("/ws/media")).status, 401);
  const origin = "https://app.example";
  const byHeader = post("/ws/media", { authorization: "Bearer secret", origin });
  await settle();
  assert.equal(questions.at(-1)?.shown.token, "secret");
  questions.at(-1)?.answer({ ok: true, userId: "ann" });
  const stored = await byHeader;
  assert.equal(stored.status, 201);
  assert.equal(stored.headers.get("access-control-allow-origin"), origin);
  assert.deepEqual(JSON.parse(stored.text), {
    ok: true,
    mediaPath: "new.png",
    mediaType: "image/png",
    size: 3,
  });
  const byUrl = post("/ws/media?token=other");
  await settle();
  questions.at(-1)?.answer({ ok: false, code: "expired", refused: true });
  const refused = await byUrl;
  assert.deepEqual([refused.status, JSON.parse(refused.text)], [401, {
    error: { message: "Authentication failed: expired" },
  }]);
  const asking = await ask({ path: "/ws/media", method: "OPTIONS", headers: { origin } });
  assert.deepEqual([asking.status, asking.headers.get("access-control-allow-methods")], [
    204,
    "POST",
  ]);
});

Deno.test("uploads count against the sender's messages a minute", async () => {
  const { ask, chatSettings } = stage();
  chatSettings.messagesPerMinute = 1;
  const headers = { "content-type": "image/png" };
  const post = () => ask({ path: "/ws/media", method: "POST", body: "abc", headers });
  assert.equal((await post()).status, 201);
  assert.equal((await post()).status, 429);
});

Deno.test("uploads count against the quota of a user, or of the address of a stranger", async () => {
  const headers = { "content-type": "image/png" };
  const upload = (path: string, ip?: string) => ({ path, method: "POST", body: "a", headers, ip });
  const known = stage({ enabled: true, required: false });
  known.chatSettings.allowPublicWithoutAuth = true;
  const byToken = known.ask(upload("/ws/media?token=t", "192.0.2.1"));
  await settle();
  known.questions.at(-1)?.answer({ ok: true, userId: "ann" });
  await byToken;
  await known.ask(upload("/ws/media?senderId=ann", "192.0.2.1"));
  await known.ask(upload("/ws/media?senderId=bob", "::ffff:192.0.2.1"));
  await known.ask(upload("/ws/media", "2001:db8::1"));
  assert.deepEqual(known.uploaded, [
    "user:ann",
    "address:192.0.2.1",
    "address:192.0.2.1",
    "address:2001:db8:0:0",
  ]);
  const open = stage();
  await open.ask(upload("/ws/media?senderId=ann"));
  await open.ask(upload("/ws/media"));
  open.chatSettings.allowPublicWithoutAuth = true;
  await open.ask(upload("/ws/media?senderId=ann", "192.0.2.1"));
  assert.deepEqual(open.uploaded, ["user:ann", "address:127.0.0.1", "address:192.0.2.1"]);
});
