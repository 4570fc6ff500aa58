import assert from "node:assert/strict";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { eventually } from "../support/deadline.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { testWithProgram } from "../support/skip.ts";
import { WireClient } from "../support/wire_client.ts";

/** Screenshots are written to the folder that this variable names, for people to look at. */
const SHOTS = Deno.env.get("SCREENSHOTS");

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What the page keeps of the secret. */
const STORED = "sessionStorage.getItem('clawgate.secret')";

/** How long a page may take to show what it should, in milliseconds. */
const PATIENCE_MS = 10_000;

/** A page in a browser of its own, and all that it did that a test may want to know of. */
interface Watched {
  readonly page: Page;
  /** Errors on the console and errors that nobody caught. */
  readonly errors: string[];
  readonly dialogs: string[];
  /** Every URL that was asked for or dialled. */
  readonly urls: string[];
  /** Everything that was sent over a WebSocket. */
  readonly sent: string[];
}

async function withBrowser(path: string, use: (browser: Browser) => Promise<void>): Promise<void> {
  const browser = await chromium.launch({ executablePath: path, args: ARGUMENTS });
  try {
    await use(browser);
  } finally {
    await browser.close();
  }
}

async function open(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const watched: Watched = { page, errors: [], dialogs: [], urls: [], sent: [] };
  page.on("console", (message) => {
    if (message.type() === "error") watched.errors.push(message.text());
  });
  page.on("pageerror", (error) => watched.errors.push(String(error)));
  page.on("dialog", (dialog) => {
    watched.dialogs.push(dialog.message());
    dialog.dismiss();
  });
  page.on("request", (request) => watched.urls.push(request.url()));
  page.on("websocket", (socket) => {
    watched.urls.push(socket.url());
    socket.on("framesent", ({ payload }) => watched.sent.push(payload.toString()));
  });
  return watched;
}

async function enter(page: Page, secret: string): Promise<void> {
  await page.fill("#secret", secret);
  await page.click("#show");
}

/** Waits until the text of an element matches. */
async function shows(page: Page, selector: string, wanted: RegExp): Promise<void> {
  let text = "";
  try {
    await eventually(
      async () => {
        text = await page.locator(selector).innerText();
        return wanted.test(text);
      },
      `${selector} to show ${wanted}`,
      PATIENCE_MS,
    );
  } catch (error) {
    throw new Error(`${selector} shows ${JSON.stringify(text)}, not ${wanted}`, { cause: error });
  }
}

async function shot(page: Page, name: string): Promise<void> {
  if (SHOTS === undefined) return;
  await Deno.mkdir(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

function desk(displayName: string): Record<string, unknown> {
  return {
    client: {
      id: "gateway-client",
      displayName,
      version: "1.0",
      platform: "linux",
      mode: "ui",
    },
  };
}

async function enterAs(url: string, token: string, displayName: string): Promise<WireClient> {
  return await WireClient.connect(url, {
    token,
    scopes: ["operator.admin"],
    extra: desk(displayName),
  });
}

async function say(client: WireClient, sessionKey: string, message: string): Promise<void> {
  const idempotencyKey = crypto.randomUUID();
  await client.call("chat.send", { sessionKey, message, idempotencyKey });
  await client.event("chat", ({ runId, state }) => runId === idempotencyKey && state === "final");
}

testWithProgram("chromium", {
  name:
    "the page shows health, sessions and clients to who has the token, and follows what happens",
  fn: (path) =>
    withBrowser(path, async (browser) => {
      await using gateway = await GatewayProcess.start();
      const { page, errors, urls, sent } = await open(browser, {
        viewport: { width: 1180, height: 900 },
      });
      await page.goto(gateway.httpUrl);
      await shows(page, "#state", /^live$/);
      await shows(page, "#address", new RegExp(`^${gateway.url}$`));
      assert.equal(await page.locator("#live").isVisible(), false, "nothing before the token");
      assert.equal(sent.length, 0, "nothing is sent before the token");
      await shot(page, "door_light");

      await enter(page, gateway.token);
      await shows(page, "#facts", /Version\s+20\d\d\.\d+\.\d+/);
      await shows(page, "#facts", /Sessions\s+0/);
      await shows(page, "#sessions", /none yet/);
      await shows(page, "#presence", /Status page/);
      assert.equal(await page.locator("#door").isVisible(), false);

      await using client = await enterAs(gateway.url, gateway.token, "Kitchen tablet");
      await shows(page, "#presence", /Kitchen tablet/);
      await shows(page, "#facts", /Clients\s+2/);
      await say(client, "main", "What time is it?");
      await say(client, "garden", "Shall I water the tomatoes today?");
      await shows(page, "#sessions", /What time is it\?\s+agent:main:main/);
      await shows(page, "#sessions", /tomatoes/);
      await shows(page, "#facts", /Answers in progress\s+0/);
      await shows(page, "#facts", /Sessions\s+2/);
      await shot(page, "live_light");

      await client[Symbol.asyncDispose]();
      await shows(page, "#presence", /Kitchen tablet[\s\S]*left/);
      await shows(page, "#facts", /Clients\s+1/);

      // The token is in no URL, and it is forgotten when it should be.
      assert.deepEqual(urls.filter((url) => url.includes(gateway.token)), []);
      await page.reload();
      await shows(page, "#facts", /Version/);
      await page.click("#leave");
      assert.equal(await page.locator("#door").isVisible(), true);
      assert.equal(await page.evaluate(STORED), null);
      assert.deepEqual(errors, []);
    }),
});

testWithProgram("chromium", {
  name: "a wrong token is told, and too many of them lock the page out until its time is over",
  fn: (path) =>
    withBrowser(path, async (browser) => {
      await using gateway = await GatewayProcess.start();
      const { page, errors } = await open(browser);
      await page.goto(gateway.httpUrl);
      for (let attempt = 1; attempt <= 10; attempt++) {
        await enter(page, `wrong ${attempt}`);
        await shows(page, "#problem", /not the token or password/);
        assert.equal(await page.locator("#live").isVisible(), false);
      }
      await enter(page, gateway.token);
      await shows(page, "#problem", /Too many wrong attempts .* Try again in \d+ s/);
      assert.equal(await page.locator("#show").isDisabled(), true);
      assert.equal(await page.evaluate(STORED), null, "nothing wrong is kept");
      assert.deepEqual(errors, []);
      // A program on the same host is another source.
      await using client = await enterAs(gateway.url, gateway.token, "Desk");
      assert.equal((await client.call("health")).ok, true);
    }),
});

testWithProgram("chromium", {
  name: "the page comes back by itself when the gateway does",
  fn: (path) =>
    withBrowser(path, async (browser) => {
      const stateDir = await Deno.makeTempDir({ prefix: "status-page-" });
      try {
        let port: number;
        const { page } = await open(browser);
        {
          await using first = await GatewayProcess.start({ stateDir });
          port = first.port;
          await page.goto(first.httpUrl);
          await enter(page, first.token);
          await shows(page, "#facts", /Clients\s+1/);
          await first.stop();
          await shows(page, "#state", /not reachable, trying again/);
          assert.equal(await page.locator("#live.stale").isVisible(), true);
        }
        await using second = await GatewayProcess.start({
          stateDir,
          args: ["--port", String(port)],
        });
        assert.equal(second.port, port);
        await shows(page, "#state", /^live$/);
        await eventually(
          async () => await page.locator("#live.stale").count() === 0,
          "the page to be connected again",
        );
        await using _client = await enterAs(second.url, second.token, "After the restart");
        await shows(page, "#presence", /After the restart/);
      } finally {
        await Deno.remove(stateDir, { recursive: true });
      }
    }),
});

testWithProgram("chromium", {
  name: "nothing in the page's address makes it dial elsewhere or give a token away",
  fn: (path) =>
    withBrowser(path, async (browser) => {
      await using gateway = await GatewayProcess.start();
      using evil = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      let dialled = 0;
      const waiting = (async () => {
        for await (const connection of evil) {
          dialled++;
          connection.close();
        }
      })();
      const elsewhere = `ws://127.0.0.1:${evil.addr.port}`;
      const secret = "token-in-the-address";
      const { page, errors, urls, sent, dialogs } = await open(browser);
      const baits = [
        `?gatewayUrl=${elsewhere}#token=${secret}`,
        `?gatewayUrl=${encodeURIComponent(elsewhere)}&token=${secret}&password=${secret}`,
        `?url=${elsewhere}&ws=${elsewhere}&session=main#gatewayUrl=${elsewhere}&token=${secret}`,
        `#<img src=x onerror=alert(1)>`,
        `?next=javascript:alert(1)`,
      ];
      for (const bait of baits) {
        await page.goto("about:blank");
        await page.goto(`${gateway.httpUrl}/${bait}`);
        await shows(page, "#state", /^live$/);
        assert.equal(new URL(page.url()).search + new URL(page.url()).hash, "", bait);
      }
      assert.equal(sent.length, 0, "no connection without a token that was typed");
      await enter(page, gateway.token);
      await shows(page, "#facts", /Version/);
      const own = new URL(gateway.httpUrl).host;
      const asked = urls.filter((url) => /^(?:http|ws)/.test(url));
      assert.deepEqual(asked.filter((url) => new URL(url).host !== own), []);
      const leaks = asked.filter((url) =>
        url.includes(secret) && !url.startsWith(`${gateway.httpUrl}/?`)
      );
      assert.deepEqual(leaks, []);
      assert.ok(sent.length > 0 && sent.every((frame) => !frame.includes(secret)));
      // The policy would not even let a script of the page do it.
      const blocked = await page.evaluate(`new Promise((resolve) => {
        document.addEventListener("securitypolicyviolation", (event) => resolve(event.violatedDirective));
        new WebSocket(${JSON.stringify(elsewhere)});
      })`);
      assert.equal(blocked, "connect-src");
      assert.equal(dialled, 0);
      assert.deepEqual(dialogs, []);
      assert.deepEqual(errors.filter((text) => !text.includes(elsewhere)), []);
      evil.close();
      await waiting.catch(() => {});
    }),
});

const HOSTILE = `<img src=x onerror=alert(1)>"><script>alert(2)</script>`;

testWithProgram("chromium", {
  name:
    "names that look like markup stay text, on a narrow dark screen too, where nothing overflows",
  fn: (path) =>
    withBrowser(path, async (browser) => {
      await using gateway = await GatewayProcess.start();
      await using client = await enterAs(gateway.url, gateway.token, HOSTILE);
      await say(client, `work ${HOSTILE}`, `<b onmouseover=alert(3)>hi</b>`);
      await client.call("sessions.patch", { key: "main", label: "<u>label</u>" });
      await client.call("system-event", {
        text: `<iframe src=javascript:alert(4)>`,
        host: "<i>x</i>",
      });
      const long = `agent:main:${"x".repeat(300)}`;
      await say(client, long, "y".repeat(400));
      for (
        const { name, options } of [
          { name: "live_dark_narrow", options: { colorScheme: "dark", width: 360 } },
          { name: "live_light_narrow", options: { colorScheme: "light", width: 360 } },
          { name: "live_dark_wide", options: { colorScheme: "dark", width: 1180 } },
        ] as const
      ) {
        const { colorScheme, width } = options;
        const { page, errors, dialogs } = await open(browser, {
          colorScheme,
          viewport: { width, height: 800 },
        });
        await page.goto(gateway.httpUrl);
        await shows(page, "#state", /^live$/);
        assert.ok(await overflow(page) <= 0, `${name}: the door is wider than the screen`);
        await enter(page, gateway.token);
        await shows(page, "#sessions", /<b onmouseover=alert\(3\)>hi<\/b>/);
        await shows(page, "#sessions", /work <img src=x onerror=alert\(1\)>/);
        await shows(page, "#sessions", /<u>label<\/u>/);
        await shows(page, "#presence", /<img src=x onerror=alert\(1\)>"><script>/);
        assert.equal(await page.locator("#live :is(img, script, b, u, i, iframe)").count(), 0);
        assert.deepEqual(dialogs, []);
        assert.deepEqual(errors, []);
        assert.ok(await overflow(page) <= 0, `${name}: the page is wider than the screen`);
        const dark = await page.evaluate("getComputedStyle(document.body).backgroundColor");
        assert.equal(dark === "rgb(16, 20, 26)", colorScheme === "dark", name);
        await shot(page, name);
        await page.context().close();
      }
    }),
});

/** How many pixels of the page, or of anything on it, are beyond the right edge of the screen. */
async function overflow(page: Page): Promise<number> {
  return await page.evaluate(`(() => {
    const edge = document.documentElement.clientWidth;
    const rights = [...document.querySelectorAll("body *")]
      .filter((node) => node.checkVisibility() && !node.closest("thead"))
      .map((node) => node.getBoundingClientRect().right);
    return Math.ceil(Math.max(document.documentElement.scrollWidth, ...rights) - edge - 0.5);
  })()`);
}
