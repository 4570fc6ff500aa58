/**
 * What was acknowledged survives the death of the process: it is killed again and again while clients
 * write, and after each restart every acknowledged message, patch and pairing is looked for.
 * `CRASH_SEED` repeats a sequence of random choices.
 */

import assert from "node:assert/strict";
import { within } from "../support/deadline.ts";
import { TestDevice } from "../support/device_key.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { connectParams, type Parsed, Refused, WireClient } from "../support/wire_client.ts";

const RUNS = Deno.env.get("CI") === "true" ? 50 : 8;

/** Acknowledgements after which the process dies, at most. */
const MAX_ACKNOWLEDGED = 60;

/** And how much later, in milliseconds, at most. */
const MAX_LAG_MS = 6;

const ADMIN = ["operator.admin"];

Deno.test(`what was acknowledged survives kill -9 (${RUNS} times)`, async () => {
  const seed = Number(Deno.env.get("CRASH_SEED") ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`CRASH_SEED=${seed}`);
  const random = randomNumbers(seed);
  const stateDir = await Deno.makeTempDir({ prefix: "gateway-" });
  try {
    const ledger = new Ledger();
    for (let run = 0; run < RUNS; run++) {
      await using gateway = await GatewayProcess.start({ stateDir });
      await ledger.check(gateway);
      await writeUntilDeath(gateway, { ledger, random, run });
    }
    await using gateway = await GatewayProcess.start({ stateDir });
    await ledger.check(gateway);
    await ledger.checkAll(gateway);
    console.log(ledger.summary);
    assert.ok(ledger.acknowledged >= RUNS, "something was acknowledged");
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

/** A reproducible sequence of numbers from 0 to 1. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Work {
  readonly ledger: Ledger;
  readonly random: () => number;
  readonly run: number;
}

/** Clients write at once until the process is killed, at a point that depends on chance. */
async function writeUntilDeath(gateway: GatewayProcess, work: Work): Promise<void> {
  const { ledger, random, run } = work;
  const clients = await Promise.all(
    Array.from(
      { length: 5 },
      () => WireClient.connect(gateway.url, { token: gateway.token, scopes: ADMIN }),
    ),
  );
  const [one, two, three, four, five] = clients;
  assert.ok(one && two && three && four && five);
  const death = ledger.countdown(Math.floor(random() * MAX_ACKNOWLEDGED));
  const lag = random() * MAX_LAG_MS;
  const workers = [
    untilClosed(one, (turn) => talk(one, ledger, { key: `crash-${run}-one`, turn })),
    untilClosed(two, (turn) => talk(two, ledger, { key: `crash-${run}-two`, turn })),
    untilClosed(three, (turn) => patch(three, ledger, { key: `patched-${turn % 3}`, run, turn })),
    untilClosed(four, (turn) => inject(four, ledger, { key: `agent:main:noted-${run}`, turn })),
    untilClosed(five, (turn) => pair(five, ledger, { gateway, silent: turn % 3 === 0 })),
  ];
  await within(death, `acknowledgement to die after; ${gateway.output}`);
  await new Promise((resolve) => setTimeout(resolve, lag));
  await gateway.kill();
  await Promise.all(workers);
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
}

/** Repeats `turn` until the connection ends; a refusal is an error. */
async function untilClosed(
  client: WireClient,
  turn: (count: number) => Promise<void>,
): Promise<void> {
  let open = true;
  const closed = client.closed.then(() => open = false);
  for (let count = 0; open; count++) {
    try {
      await turn(count);
    } catch (error) {
      if (error instanceof Refused) throw error;
      // The process died in the middle; the close tells so, too.
      await within(closed, "the end of a connection that failed");
    }
  }
}

async function talk(
  client: WireClient,
  ledger: Ledger,
  { key, turn }: { readonly key: string; readonly turn: number },
): Promise<void> {
  const runId = `${key}-${turn}`;
  const message = `count to ${1 + turn % 4}, for ${runId}`;
  const from = client.frames.length;
  await client.call("chat.send", { sessionKey: key, message, idempotencyKey: runId });
  ledger.message(key, message);
  if (turn % 2 === 0) return;
  // The answer of a run that was announced as ended is stored as well.
  const ended = await client.event(
    "chat",
    (payload) => payload.runId === runId && payload.state === "final",
    { from },
  );
  ledger.message(key, ended.payload.message.content[0].text);
}

async function patch(
  client: WireClient,
  ledger: Ledger,
  { key, run, turn }: { readonly key: string; readonly run: number; readonly turn: number },
): Promise<void> {
  const label = `label ${key} ${run}-${turn}`;
  ledger.attempt(key, label);
  await client.call("sessions.patch", { key, label });
  ledger.patched(key, label);
}

async function inject(
  client: WireClient,
  ledger: Ledger,
  { key, turn }: { readonly key: string; readonly turn: number },
): Promise<void> {
  if (turn === 0) await client.call("sessions.patch", { key, thinkingLevel: "low" });
  const message = `note ${key} ${turn}`;
  await client.call("chat.inject", { sessionKey: key, message });
  ledger.message(key, message);
}

/** A device on this host is paired at once; one behind a proxy asks, and is let in by `client`. */
async function pair(
  client: WireClient,
  ledger: Ledger,
  { gateway, silent }: { readonly gateway: GatewayProcess; readonly silent: boolean },
): Promise<void> {
  const { url, token } = gateway;
  const device = await TestDevice.create();
  const headers: Record<string, string> = silent ? {} : { "x-forwarded-for": "203.0.113.9" };
  await using joining = await WireClient.open(url, { headers });
  const scopes = ["operator.read"];
  const params = await connectParams({ token, device, scopes }, joining.nonce);
  const answer = await joining.request("connect", params);
  if (silent) {
    assert.equal(answer.ok, true);
    return ledger.paired(device, answer.payload.auth.deviceToken);
  }
  assert.equal(answer.error?.message, "pairing required");
  const details: Parsed = answer.error?.details;
  await client.call("device.pair.approve", { requestId: details.requestId });
  ledger.paired(device);
}

/** What the gateway has acknowledged. */
class Ledger {
  acknowledged = 0;
  readonly #messages = new Map<string, string[]>();
  readonly #labels = new Map<string, { kept?: string; attempted: string }>();
  readonly #devices = new Map<string, { readonly device: TestDevice; readonly token?: string }>();
  readonly #fresh = new Set<string>();
  #countdown: { left: number; done: () => void } | undefined;

  get summary(): string {
    let messages = 0;
    for (const texts of this.#messages.values()) messages += texts.length;
    return `${this.acknowledged} acknowledged: ${messages} messages, ${this.#devices.size} pairings`;
  }

  /** Resolves after `count` more acknowledgements. */
  countdown(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (count === 0) resolve();
    this.#countdown = { left: count, done: resolve };
    return promise;
  }

  message(key: string, text: string): void {
    const texts = this.#messages.get(key) ?? [];
    texts.push(text);
    this.#messages.set(key, texts);
    this.#fresh.add(key);
    this.#count();
  }

  attempt(key: string, label: string): void {
    this.#labels.set(key, { ...this.#labels.get(key), attempted: label });
  }

  patched(key: string, label: string): void {
    this.#labels.set(key, { kept: label, attempted: label });
    this.#count();
  }

  paired(device: TestDevice, token?: string): void {
    this.#devices.set(device.id, { device, token });
    this.#count();
  }

  /** Looks for what was acknowledged since the last check, and for all labels and pairings. */
  async check(gateway: GatewayProcess): Promise<void> {
    await using client = await WireClient.connect(gateway.url, {
      token: gateway.token,
      scopes: ADMIN,
    });
    await this.#checkMessages(client, this.#fresh);
    this.#fresh.clear();
    for (const [key, { kept, attempted }] of this.#labels) {
      if (kept === undefined) continue;
      const { sessions } = await client.call("sessions.list", { search: key });
      const session = sessions.find((session: Parsed) => session.key === `agent:main:${key}`);
      // The one that was under way when the process died may have come through.
      assert.ok([kept, attempted].includes(session?.label), `${session?.label} is not ${kept}`);
      this.#labels.set(key, { kept: session.label, attempted: session.label });
    }
    const { paired } = await client.call("device.pair.list", {});
    const known = new Set(paired.map(({ deviceId }: Parsed) => deviceId));
    for (const id of this.#devices.keys()) assert.ok(known.has(id), `device ${id} is paired`);
  }

  /** Looks for every message, and comes in with a device's token. */
  async checkAll(gateway: GatewayProcess): Promise<void> {
    const { url, token } = gateway;
    await using client = await WireClient.connect(url, { token, scopes: ADMIN });
    await this.#checkMessages(client, this.#messages.keys());
    const scopes = ["operator.read"];
    for (const { device, token } of this.#devices.values()) {
      if (token === undefined) continue;
      await using _own = await WireClient.connect(url, { token, device, scopes });
    }
  }

  async #checkMessages(client: WireClient, keys: Iterable<string>): Promise<void> {
    for (const key of keys) {
      const { messages } = await client.call("chat.history", { sessionKey: key, limit: 1_000 });
      const found = messages.map(({ content }: Parsed) => content[0].text);
      for (const text of this.#messages.get(key) ?? []) {
        const times = found.filter((other: string) => other === text).length;
        assert.equal(times, 1, `${JSON.stringify(text)} stands in ${key} ${times} times`);
      }
    }
  }

  #count(): void {
    this.acknowledged++;
    if (this.#countdown !== undefined && --this.#countdown.left <= 0) this.#countdown.done();
  }
}
