import assert from "node:assert/strict";
import { ReadBuffers } from "../../../src/adapters/read_buffers.ts";
import { StreamLink } from "../../../src/adapters/stream_link.ts";
import { TurnBudget } from "../../../src/adapters/turn_budget.ts";
import { WriteTurns } from "../../../src/adapters/write_turns.ts";
import { Envelope, SharedText } from "../../../src/core/shared_text.ts";
import { eventually } from "../../support/deadline.ts";
import { FakeStream } from "../../support/fake_stream.ts";
import { settle } from "../../support/manual_clock.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** A link on a network that the test plays, and all that it told. */
class LinkStage implements AsyncDisposable {
  readonly stream = new FakeStream();
  readonly told: (string | readonly number[])[] = [];
  readonly faults: unknown[] = [];
  readonly link: StreamLink;
  throwing = false;
  spoke = 0;
  #running: Promise<void> | undefined;

  constructor({ attached = true, half = true }: { attached?: boolean; half?: boolean } = {}) {
    this.link = new StreamLink(this.stream, {
      maxLineBytes: 64,
      reads: new ReadBuffers(),
      turns: new WriteTurns(() => 1),
      budget: new TurnBudget(),
      lastWord: (code, reason) => code === 1009 ? `last: ${reason}` : undefined,
      failed: (error) => this.faults.push(error),
    }, () => this.spoke++);
    if (attached) this.attach(half);
    this.#running = this.link.run();
  }

  attach(half: boolean = true): void {
    this.link.attach({
      message: (data) => {
        if (this.throwing) throw new Error("a defect");
        this.told.push(typeof data === "string" ? data : [...data]);
      },
      drained: () => this.told.push("drained"),
      finished: half ? () => this.told.push("finished") : undefined,
      closed: (code, reason) => this.told.push(`closed ${code} ${reason}`),
    });
  }

  /** All that the peer was sent. */
  get said(): string {
    return new TextDecoder().decode(this.stream.written);
  }

  async ended(): Promise<void> {
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.link.terminate();
    await this.#running;
  }
}

Deno.test("lines are messages, at any split, and the first one is told", async () => {
  await using stage = new LinkStage();
  stage.stream.feed(bytesOf("a\r\nb"));
  await settle();
  assert.deepEqual([stage.told, stage.spoke], [["a"], 1]);
  stage.stream.feed(bytesOf("c\n\n"), new Uint8Array([0xff, 10]));
  await settle();
  assert.deepEqual([stage.told, stage.spoke], [["a", "bc", [0xff]], 1]);
});

Deno.test("all that is sent in a turn is one write, a line each, in order", async () => {
  await using stage = new LinkStage();
  const { link, stream } = stage;
  link.send("one");
  link.send(new Envelope("<", { shared: new SharedText(() => "two"), after: ">" }), {
    patient: true,
  });
  link.send(bytesOf("three"));
  assert.deepEqual([stream.writes.length, link.buffered], [0, 16]);
  await settle();
  assert.deepEqual([stream.writes.length, link.buffered], [1, 0]);
  assert.equal(stage.said, "one\n<two>\nthree\n");
});

Deno.test("a slow network gets it whole, and the owner hears when it has caught up", async () => {
  await using stage = new LinkStage();
  const { link, stream } = stage;
  stream.takes = 7_000;
  stream.stuck = true;
  const lines = Array.from({ length: 40 }, (_, at) => `${at}:${"é".repeat(500)}`);
  for (const line of lines) link.send(line);
  assert.ok(link.buffered > 16 * 1024);
  await settle();
  assert.deepEqual(stage.told, []);
  stream.loosen();
  await eventually(() => link.buffered === 0, "all of it to be written");
  assert.deepEqual(stage.told, ["drained"]);
  assert.equal(stage.said, lines.map((line) => `${line}\n`).join(""));
});

Deno.test("nothing is read before there is a listener, nor while the owner wants nothing", async () => {
  await using stage = new LinkStage({ attached: false });
  stage.stream.feed(bytesOf("a\nb\nc\n"));
  await settle();
  assert.equal(stage.stream.reads, 0);
  stage.attach();
  await settle();
  assert.deepEqual(stage.told, ["a", "b", "c"]);
  stage.link.pause();
  stage.stream.feed(bytesOf("d\ne\n"));
  await settle();
  assert.deepEqual(stage.told, ["a", "b", "c"], "what was read already waits");
  stage.link.resume();
  await settle();
  assert.deepEqual(stage.told, ["a", "b", "c", "d", "e"]);
});

Deno.test("a pause holds back lines that came in the same read", async () => {
  const stream = new FakeStream();
  const told: string[] = [];
  const link = new StreamLink(stream, {
    maxLineBytes: 64,
    reads: new ReadBuffers(),
    turns: new WriteTurns(() => 1),
    budget: new TurnBudget(),
    lastWord: () => undefined,
    failed: () => {},
  });
  link.attach({
    message: (line) => {
      told.push(String(line));
      link.pause();
    },
    drained: () => {},
    closed: () => told.push("closed"),
  });
  const running = link.run();
  stream.feed(bytesOf("a\nb\n"));
  await settle();
  assert.deepEqual(told, ["a"]);
  link.resume();
  await settle();
  assert.deepEqual(told, ["a", "b"]);
  link.terminate();
  await running;
  assert.deepEqual(told, ["a", "b", "closed"]);
});

Deno.test("a close says its last word behind all that waits, then ends the sending side", async () => {
  await using stage = new LinkStage();
  const { link, stream } = stage;
  link.send("before");
  link.close(1009, "why");
  link.send("after");
  await settle();
  assert.deepEqual([stage.said, stream.finished], ["before\nlast: why\n", true]);
  stream.feed(bytesOf("too late\n"), null);
  await stage.ended();
  assert.deepEqual([stage.told, stream.closed], [["closed 1009 why"], true]);
});

Deno.test("a close without a last word sends nothing more", async () => {
  await using stage = new LinkStage();
  stage.link.close(1000, "");
  await settle();
  assert.deepEqual([stage.said, stage.stream.finished], ["", true]);
});

Deno.test("a peer that does not leave is dropped soon after all was said to it", async () => {
  await using stage = new LinkStage();
  const began = performance.now();
  stage.link.close(1000, "");
  await stage.ended();
  assert.ok(performance.now() - began < 4_000);
  assert.deepEqual(stage.told, ["closed 1000 "]);
});

Deno.test("a peer that was closed and floods is read no further than the bound", async () => {
  await using stage = new LinkStage();
  stage.link.close(1000, "");
  await settle();
  for (let at = 0; at < 200; at++) stage.stream.feed(new Uint8Array(32 * 1024));
  await eventually(() => stage.stream.unread < 6 * 1024 * 1024, "some of it to be read");
  await stage.ended();
  assert.ok(stage.stream.unread > 4 * 1024 * 1024, `only ${stage.stream.unread} left`);
});

Deno.test("a line that is too long is answered with the last word, and nothing behind it counts", async () => {
  await using stage = new LinkStage();
  stage.stream.feed(bytesOf(`a\n${"x".repeat(65)}\nb\n`));
  await settle();
  assert.equal(stage.said, "last: a line is longer than 64 bytes\n");
  assert.deepEqual(stage.told, ["a"]);
});

Deno.test("a first line of another protocol ends the connection without a word", async () => {
  await using stage = new LinkStage();
  stage.stream.feed(bytesOf("POST / HTTP/1.1\r\n\r\na\n"), null);
  await stage.ended();
  assert.deepEqual([stage.said, stage.told, stage.spoke], [
    "",
    ["closed 1002 not a line of this protocol"],
    0,
  ]);
});

Deno.test("an allowance bounds what the peer may send", async () => {
  await using stage = new LinkStage();
  stage.link.allow(4);
  stage.stream.feed(bytesOf("a\n"), bytesOf("bcd\n"));
  await settle();
  assert.deepEqual(stage.told, ["a"]);
  assert.equal(stage.said, "last: more than is allowed was sent\n");
});

Deno.test("a peer that has said all is still answered, its last line included", async () => {
  await using stage = new LinkStage();
  const { link, stream } = stage;
  stream.feed(bytesOf("a\nb"), null);
  await settle();
  assert.deepEqual(stage.told, ["a", "b", "finished"]);
  link.send("answer");
  link.close(1000, "");
  await stage.ended();
  assert.equal(stage.said, "answer\n");
  assert.deepEqual(stage.told, ["a", "b", "finished", "closed 1000 "]);
});

Deno.test("with an owner that does not care for it, a peer that has said all is gone", async () => {
  await using stage = new LinkStage({ half: false });
  stage.stream.feed(bytesOf("a\n"), null);
  await stage.ended();
  assert.deepEqual(stage.told, ["a", "closed 1005 "]);
});

Deno.test("a connection that breaks is told as vanished", async () => {
  await using stage = new LinkStage();
  stage.stream.close();
  await stage.ended();
  assert.deepEqual(stage.told, ["closed 1006 "]);
});

Deno.test("a peer that vanishes while it is written to ends the connection", async () => {
  await using stage = new LinkStage();
  stage.stream.finished = true;
  stage.link.send("x");
  await stage.ended();
  assert.deepEqual([stage.told, stage.link.buffered], [["closed 1006 "], 0]);
});

Deno.test("a defect of the owner costs its connection and is told", async () => {
  await using stage = new LinkStage();
  stage.throwing = true;
  stage.stream.feed(bytesOf("a\nb\n"), null);
  await stage.ended();
  assert.equal(stage.faults.length, 1);
  assert.deepEqual(stage.told, ["closed 1011 internal error"]);
});
