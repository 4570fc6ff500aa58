import assert from "node:assert/strict";
import {
  type CloseNote,
  type MessageNote,
  READY_STATE,
  type ServerSocket,
} from "../../../src/core/websocket.ts";
import { linkOf } from "../../../src/core/websocket_link.ts";
import { socketOf } from "../../support/link_socket.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MemoryLink } from "../../support/memory_link.ts";

type Listener = (event: MessageNote & CloseNote) => void;

/** A runtime's socket whose peer and network a test plays. */
class FakeSocket implements ServerSocket {
  readyState: number = READY_STATE.open;
  bufferedAmount = 0;
  readonly protocol = "";
  binaryType = "blob";
  readonly sent: unknown[] = [];
  readonly closes: string[] = [];
  readonly #listeners = new Map<string, Listener[]>();

  addEventListener(type: string, listener: (event: MessageNote & CloseNote) => void): void {
    this.#listeners.set(type, [...this.#listeners.get(type) ?? [], listener]);
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    assert.equal(this.readyState, READY_STATE.open, "some runtimes throw otherwise");
    this.sent.push(data);
  }

  close(code?: number, reason?: string): void {
    this.closes.push(`${code} ${reason}`.trim());
    this.readyState = READY_STATE.closing;
  }

  receive(...messages: readonly (string | ArrayBuffer)[]): void {
    for (const data of messages) this.#tell("message", { data });
  }

  end(code: number, reason = ""): void {
    this.readyState = READY_STATE.closed;
    this.#tell("error");
    this.#tell("close", { code, reason });
  }

  #tell(type: string, event: Partial<MessageNote & CloseNote> = {}): void {
    const note = { data: undefined, code: 0, reason: "", wasClean: false, ...event };
    for (const listener of this.#listeners.get(type) ?? []) listener(note);
  }
}

/** A link of a fake socket, with a listener that notes what it is told. */
function stage(options: { readonly attached?: boolean } = {}) {
  const socket = new FakeSocket();
  const clock = new ManualClock();
  const link = linkOf(socket, (delayMs, task) => clock.after(delayMs, task));
  const heard: string[] = [];
  const listener = {
    message: (data: string | Uint8Array) => {
      heard.push(typeof data === "string" ? data : `<${data}>`);
    },
    drained: () => heard.push("drained"),
    closed: (code: number, reason: string) => heard.push(`closed ${code} ${reason}`.trim()),
  };
  if (options.attached !== false) link.attach(listener);
  return { socket, clock, link, heard, listener };
}

Deno.test("a socket that brings a link is that link", () => {
  const link = new MemoryLink();
  assert.equal(linkOf(socketOf(link), () => () => {}), link);
});

Deno.test("messages arrive in order, bytes as bytes", async () => {
  const { socket, heard, clock } = stage();
  assert.equal(socket.binaryType, "arraybuffer");
  socket.receive("one", new Uint8Array([1, 2]).buffer, "");
  await clock.advance(0);
  assert.deepEqual(heard, ["one", "<1,2>", ""]);
});

Deno.test("what comes before the listener waits for it, and is not told from inside a call", async () => {
  const { socket, link, heard, listener, clock } = stage({ attached: false });
  socket.receive("one", "two");
  socket.end(4_000, "gone");
  link.attach(listener);
  assert.deepEqual(heard, []);
  await clock.advance(0);
  assert.deepEqual(heard, ["one", "two", "closed 4000 gone"]);
});

Deno.test("a pause keeps messages and the end behind them", async () => {
  const { socket, link, heard, clock } = stage();
  await clock.advance(0);
  link.pause();
  socket.receive("one", "two");
  socket.end(1000);
  await clock.advance(1_000);
  assert.deepEqual(heard, []);
  link.resume();
  assert.deepEqual(heard, []);
  await clock.advance(0);
  assert.deepEqual(heard, ["one", "two", "closed 1000"]);
});

Deno.test("a listener may pause at every message", async () => {
  const { socket, link, clock } = stage({ attached: false });
  const heard: string[] = [];
  link.attach({
    message: (data) => {
      heard.push(String(data));
      link.pause();
    },
    drained: () => {},
    closed: (code) => heard.push(`closed ${code}`),
  });
  socket.receive("one", "two", "three");
  socket.end(1000);
  assert.deepEqual(heard, ["one"]);
  link.resume();
  await clock.advance(0);
  assert.deepEqual(heard, ["one", "two"]);
  link.resume();
  await clock.advance(0);
  assert.deepEqual(heard, ["one", "two", "three", "closed 1000"]);
});

Deno.test("what a peer sends while reading pauses is bounded", async () => {
  const { socket, link, heard, clock } = stage();
  await clock.advance(0);
  link.pause();
  const chunk = "x".repeat(100_000);
  for (let at = 0; at < 10; at++) socket.receive(chunk);
  assert.deepEqual(socket.closes, []);
  for (let at = 0; at < 50; at++) socket.receive(chunk);
  assert.deepEqual(socket.closes, ["1008 sent too much unread"]);
  socket.end(1008);
  link.resume();
  await clock.advance(0);
  assert.equal(heard.length, 12, "what came before the bound was broken, and the end");
});

Deno.test("what a peer may send is bounded until the bound is lifted", async () => {
  const { socket, link, heard, clock } = stage();
  await clock.advance(0);
  link.allow(10);
  socket.receive("12345", "67890");
  link.allow(5);
  socket.receive("12345");
  link.allow(undefined);
  socket.receive("x".repeat(100_000));
  link.allow(5);
  socket.receive("123456", "not heard");
  link.allow(undefined);
  socket.receive("nor this");
  assert.equal(heard.length, 4);
  assert.deepEqual(socket.closes, ["1009"]);
});

Deno.test("sending and closing are the socket's own, while it is open", () => {
  const { socket, link } = stage();
  link.send("text");
  link.send(new Uint8Array([1]));
  link.close(4_000, "enough");
  link.send("too late");
  link.close(4_001, "twice");
  assert.deepEqual(socket.sent, ["text", new Uint8Array([1])]);
  assert.deepEqual(socket.closes, ["4000 enough"]);
});

Deno.test("terminate closes, and is told as 1006, once", async () => {
  const { socket, link, heard, clock } = stage();
  await clock.advance(0);
  link.pause();
  socket.receive("unread");
  link.terminate();
  link.terminate();
  assert.deepEqual(heard, []);
  socket.receive("not heard");
  link.send("not sent");
  await clock.advance(0);
  socket.end(1001);
  link.resume();
  await clock.advance(1_000);
  assert.deepEqual(heard, ["closed 1006"]);
  assert.deepEqual(socket.closes, ["1001"]);
  assert.deepEqual(socket.sent, []);
});

Deno.test("an end without a code is 1006", async () => {
  const { socket, heard, clock } = stage();
  socket.end(0);
  await clock.advance(0);
  assert.deepEqual(heard, ["closed 1006"]);
});

Deno.test("a socket that is behind is asked until it has caught up, and that is told once", async () => {
  const { socket, link, heard, clock } = stage();
  await clock.advance(0);
  link.send("small");
  assert.equal(clock.waiting, 0);
  socket.bufferedAmount = 100_000;
  assert.equal(link.buffered, 100_000);
  link.send("more");
  link.send("and more");
  assert.equal(clock.waiting, 1);
  await clock.advance(1_000);
  assert.deepEqual(heard, []);
  socket.bufferedAmount = 0;
  await clock.advance(1_000);
  assert.deepEqual(heard, ["drained"]);
  assert.equal(clock.waiting, 0);
});

Deno.test("a socket that ended is not asked any more", async () => {
  const { socket, link, heard, clock } = stage();
  await clock.advance(0);
  socket.bufferedAmount = 100_000;
  link.send("much");
  socket.end(1006);
  await clock.advance(1_000);
  assert.deepEqual(heard, ["closed 1006"]);
  assert.equal(clock.waiting, 0);
});
