import assert from "node:assert/strict";
import { MAX_INPUT_BYTES } from "../../../src/cli/chat_command.ts";
import { run } from "../../../src/cli/program.ts";
import {
  greet,
  type Request,
  scriptedGateway,
  type ScriptedPeer,
} from "../client/scripted_gateway.ts";
import { FakeTerminal } from "./fake_terminal.ts";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test(name, fn);
}

/** A gateway whose `chat.send` starts a run that `play` acts out. */
function chatting(
  play: (run: { peer: ScriptedPeer; send: Request; say: Say }) => Promise<void> | void,
  connections: { count: number } = { count: 0 },
) {
  return scriptedGateway(async (peer) => {
    connections.count++;
    await greet(peer);
    for (;;) {
      const send = await peer.next();
      if (send.method !== "chat.send") continue;
      const runId = send.params.idempotencyKey;
      peer.send({ type: "res", id: send.id, ok: true, payload: { runId, status: "started" } });
      const say: Say = (state, text, extra) =>
        peer.send({
          type: "event",
          event: "chat",
          payload: {
            runId,
            sessionKey: send.params.sessionKey,
            state,
            ...(text === undefined
              ? {}
              : { message: { role: "assistant", content: [{ type: "text", text }] } }),
            ...extra,
          },
        });
      await play({ peer, send, say });
    }
  });
}

type Say = (state: string, text?: string, extra?: Record<string, unknown>) => void;

function chat(args: readonly string[], terminal: FakeTerminal) {
  return run(["chat", ...args], {
    terminal,
    startGateway: () => Promise.reject(new Error("not here")),
  });
}

test("the answer streams to standard output, events of other runs are passed over", async () => {
  const terminal = new FakeTerminal();
  const step = Promise.withResolvers<void>();
  let sent: unknown;
  await using gateway = chatting(async ({ peer, send, say }) => {
    sent = { ...send.params, idempotencyKey: "" };
    const payload = { runId: "other", state: "final", message: "not ours" };
    peer.send({ type: "event", event: "chat", payload });
    peer.send({ type: "event", event: "chat", payload: "not an object" });
    say("delta", "Hel");
    await step.promise;
    say("final", "Hello");
  });
  const args = ["two", "words", "--session", "s1", "--thinking", "low", "--url", gateway.url];
  const exit = chat(args, terminal);
  await terminal.printed("Hel");
  assert.equal(terminal.stdout, "Hel");
  step.resolve();
  assert.equal(await exit, 0);
  assert.equal(terminal.stdout, "Hello\n");
  assert.deepEqual(sent, {
    sessionKey: "s1",
    message: "two words",
    thinking: "low",
    idempotencyKey: "",
  });
  assert.equal(terminal.listeners, 0);
  assert.equal(terminal.clock.waiting, 0);
});

test("--json prints each event of the run on a line", async () => {
  const terminal = new FakeTerminal();
  await using gateway = chatting(({ say }) => {
    say("delta", "a\x9b");
    say("final", "ab");
  });
  assert.equal(await chat(["hi", "--json", "--url", gateway.url], terminal), 0);
  const lines = terminal.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ state }) => state), ["delta", "final"]);
  assert(!terminal.stdout.includes("\x9b"));
});

test("a failed run exits with 1 and tells why", async () => {
  const terminal = new FakeTerminal();
  await using gateway = chatting(({ say }) =>
    say("error", undefined, { errorMessage: "no model\x1b" })
  );
  assert.equal(await chat(["hi", "--url", gateway.url], terminal), 1);
  assert.equal(terminal.stderr, "error: no model\\u{1b}\n");
});

test("--json prints a failed run once, as its event", async () => {
  const terminal = new FakeTerminal();
  await using gateway = chatting(({ say }) =>
    say("error", undefined, { errorMessage: "no model" })
  );
  assert.equal(await chat(["hi", "--json", "--url", gateway.url], terminal), 1);
  const { state, errorMessage } = JSON.parse(terminal.stdout);
  assert.deepEqual([state, errorMessage, terminal.stderr], ["error", "no model", ""]);
});

test("--json prints a refused message of a typed conversation as JSON", async () => {
  const terminal = new FakeTerminal({ input: ["one"], tty: { input: true } });
  await using gateway = scriptedGateway(async (peer) => {
    await greet(peer);
    const { id } = await peer.next();
    const error = { code: "INVALID_REQUEST", message: "too long" };
    peer.send({ type: "res", id, ok: false, error });
  });
  assert.equal(await chat(["--json", "--url", gateway.url], terminal), 0);
  const line = terminal.stderr.split("\n").find((text) => text.includes("{")) ?? "";
  assert.equal(JSON.parse(line.slice(line.indexOf("{"))).error.message, "too long");
});

test("a lost connection exits with 3 and keeps what was said", async () => {
  const terminal = new FakeTerminal();
  await using gateway = chatting(({ peer, say }) => {
    say("delta", "Half");
    peer.close(4012, "service restart");
  });
  assert.equal(await chat(["hi", "--url", gateway.url], terminal), 3);
  assert.equal(terminal.stdout, "Half");
  assert.match(terminal.stderr, /chat.history/);
});

test("Ctrl-C stops the run at the gateway and exits with 130", async () => {
  const terminal = new FakeTerminal();
  let aborted: Request | undefined;
  await using gateway = chatting(async ({ peer, send, say }) => {
    say("delta", "Half");
    aborted = await peer.next();
    assert.equal(aborted.params.runId, send.params.idempotencyKey);
    peer.send({ type: "res", id: aborted.id, ok: true, payload: { ok: true, aborted: true } });
    say("aborted", "Half", { stopReason: "rpc" });
  });
  const exit = chat(["hi", "--url", gateway.url], terminal);
  await terminal.printed("Half");
  terminal.signal();
  assert.equal(await exit, 130);
  assert.deepEqual([aborted?.method, aborted?.params.sessionKey], ["chat.abort", "main"]);
  assert.equal(terminal.stdout, "Half\n");
  assert.equal(terminal.stderr, "(stopped)\n");
});

test("a second Ctrl-C does not wait for the gateway", async () => {
  const terminal = new FakeTerminal();
  await using gateway = chatting(({ say }) => say("delta", "Half"));
  const exit = chat(["hi", "--url", gateway.url], terminal);
  await terminal.printed("Half");
  terminal.signal();
  terminal.signal();
  assert.equal(await exit, 130);
});

test("a run that someone else stopped exits with 1", async () => {
  const terminal = new FakeTerminal();
  await using gateway = chatting(({ say }) => say("aborted", "", { stopReason: "stop" }));
  assert.equal(await chat(["hi", "--url", gateway.url], terminal), 1);
});

test("a message comes from standard input when none is given", async () => {
  const terminal = new FakeTerminal({ input: ["first", "second"] });
  const messages: string[] = [];
  await using gateway = chatting(({ send, say }) => {
    messages.push(send.params.message);
    say("final", "ok");
  });
  assert.equal(await chat(["--url", gateway.url], terminal), 0);
  assert.deepEqual(messages, ["first\nsecond"]);
});

for (
  const [name, input] of [["nothing", []], ["too much", ["x".repeat(MAX_INPUT_BYTES + 1)]]] as const
) {
  test(`${name} on standard input is refused before anything is sent`, async () => {
    const connections = { count: 0 };
    await using gateway = chatting(() => {}, connections);
    const terminal = new FakeTerminal({ input });
    assert.equal(await chat(["--url", gateway.url], terminal), 2);
    assert.equal(connections.count, 0);
  });
}

test("a typed conversation goes on after a failed run and ends with the input", async () => {
  const input = ["one", "", "two", "three"];
  const terminal = new FakeTerminal({ input, tty: { input: true } });
  const connections = { count: 0 };
  await using gateway = chatting(({ send, say }) => {
    if (send.params.message === "two") say("error", undefined, { errorMessage: "no" });
    else say("final", `re: ${send.params.message}`);
  }, connections);
  assert.equal(await chat(["--url", gateway.url], terminal), 0);
  assert.equal(terminal.stdout, "re: one\nre: three\n");
  assert.match(terminal.stderr, /error: no\n/);
  assert.equal(connections.count, 1);
});

test("/quit ends a typed conversation", async () => {
  const terminal = new FakeTerminal({ input: ["/quit", "never"], tty: { input: true } });
  await using gateway = chatting(() => assert.fail("nothing is sent"));
  assert.equal(await chat(["--url", gateway.url], terminal), 0);
});

test("Ctrl-C at the prompt exits with 130", async () => {
  const terminal = new FakeTerminal({ tty: { input: true } });
  terminal.readLine = () => new Promise(() => {});
  await using gateway = chatting(() => {});
  const exit = chat(["--url", gateway.url], terminal);
  await terminal.printed("> ");
  terminal.signal();
  assert.equal(await exit, 130);
});

test("a command that starts no run is answered at once", async () => {
  const terminal = new FakeTerminal();
  await using gateway = scriptedGateway(async (peer) => {
    await greet(peer);
    const { id } = await peer.next();
    peer.send({ type: "res", id, ok: true, payload: { ok: true, aborted: false, runIds: [] } });
  });
  assert.equal(await chat(["/stop", "--url", gateway.url], terminal), 0);
  assert.equal(terminal.stdout, "(done)\n");
});
