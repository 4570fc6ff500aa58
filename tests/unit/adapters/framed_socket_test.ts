import assert from "node:assert/strict";
import { MAX_PINGS, PING_WINDOW_MS } from "../../../src/adapters/framed_socket.ts";
import { WriteTurns } from "../../../src/adapters/write_turns.ts";
import { Envelope, SharedText } from "../../../src/core/shared_text.ts";
import { READY_STATE } from "../../../src/core/websocket.ts";
import { eventually } from "../../support/deadline.ts";
import { settle } from "../../support/manual_clock.ts";
import {
  BINARY,
  clientClose,
  clientFrame,
  joined,
  PING,
  PONG,
  TEXT,
} from "../../support/websocket_frames.ts";
import { SocketStage } from "../../support/socket_stage.ts";

Deno.test("all that is sent in a turn is one write, in order", async () => {
  await using stage = SocketStage.started();
  const { socket, stream } = stage;
  const shared = new SharedText(() => "to all of you");
  for (let at = 0; at < 100; at++) socket.send(`message ${at}`);
  socket.send(new Uint8Array([1, 2]));
  socket.send(new Envelope("for you: ", { shared, after: "!" }), { patient: true });
  socket.send("last");
  assert.equal(stream.writes.length, 0, "nothing is written before the turn ends");
  assert.ok(socket.bufferedAmount > 1_000);
  await settle();
  assert.equal(stream.writes.length, 1);
  assert.deepEqual(stage.said, [
    ...Array.from({ length: 100 }, (_, at) => `message ${at}`),
    "<1,2>",
    "for you: to all of you!",
    "last",
  ]);
  assert.equal(socket.bufferedAmount, 0);
  socket.send("another turn");
  await settle();
  assert.equal(stream.writes.length, 2);
});

Deno.test("answers to messages that came in one read are one write", async () => {
  await using stage = new SocketStage();
  const { socket, stream } = stage;
  socket.addEventListener("message", ({ data }) => socket.send(String(data)));
  stage.run();
  const all = Array.from({ length: 20 }, (_, at) => clientFrame(TEXT, `${at}`));
  stream.feed(joined(...all));
  await settle();
  assert.equal(stream.writes.length, 1);
  assert.equal(stage.said.length, 20);
});

Deno.test("what a slow network takes bit by bit arrives whole", async () => {
  await using stage = SocketStage.started();
  const { socket, stream } = stage;
  stream.takes = 7;
  const large = "0123456789".repeat(5_000);
  const bytes = new TextEncoder().encode(large);
  socket.send("small");
  socket.send(large);
  const shared = new SharedText(() => large);
  socket.send(new Envelope("<", { shared, after: ">" }));
  socket.send(bytes);
  await eventually(() => socket.bufferedAmount === 0, "all of it to be written");
  assert.deepEqual(stage.said, ["small", large, `<${large}>`, `<${bytes}>`]);
  assert.deepEqual(shared.bytes, bytes, "shared bytes stay as they were");
});

Deno.test("what is sent while a write is in progress follows it in one write", async () => {
  await using stage = SocketStage.started();
  const { socket, stream } = stage;
  stream.stuck = true;
  socket.send("first");
  await settle();
  for (let at = 0; at < 50; at++) {
    socket.send(`${at}`);
    await settle();
  }
  assert.equal(stream.writes.length, 0);
  stream.loosen();
  await settle();
  assert.equal(stream.writes.length, 2);
  assert.deepEqual(stage.said, ["first", ...Array.from({ length: 50 }, (_, at) => `${at}`)]);
});

Deno.test("a peer that does not read is counted, and its reading again is told", async () => {
  await using stage = SocketStage.started();
  const { socket, stream } = stage;
  stream.stuck = true;
  for (let at = 1; at <= 100; at++) {
    socket.send("x".repeat(10_000));
    await settle();
    assert.equal(socket.buffered, at * 10_004);
  }
  assert.deepEqual(stage.heard, []);
  stream.loosen();
  await eventually(() => stage.heard.length > 0, "drained");
  assert.deepEqual(stage.heard, ["drained"]);
  assert.equal(socket.buffered, 0);
  socket.send("small");
  await settle();
  assert.deepEqual(stage.heard, ["drained"], "not told where nobody was held up");
});

Deno.test("terminate drops the connection at once, and frees what waits", async () => {
  await using stage = SocketStage.started();
  const { socket, stream } = stage;
  stream.stuck = true;
  for (let at = 0; at < 10; at++) socket.send("x".repeat(100_000));
  await settle();
  socket.terminate();
  assert.equal(stream.closed, true);
  assert.deepEqual(stage.heard, [], "not from inside the call");
  assert.equal(socket.readyState, READY_STATE.closing);
  socket.send("too late");
  await stage.over();
  assert.equal(socket.buffered, 0);
  assert.equal(socket.readyState, READY_STATE.closed);
  assert.deepEqual(stage.heard, ["closed 1006"]);
  socket.terminate();
  socket.close(1000, "");
  assert.deepEqual(stage.heard, ["closed 1006"]);
});

Deno.test("what a listener sends after it dropped the connection goes nowhere", async () => {
  await using stage = new SocketStage();
  const { socket, stream } = stage;
  const heard: unknown[] = [];
  socket.attach({
    message: (data) => {
      heard.push(data);
      socket.send("before");
      socket.terminate();
      socket.send("after");
    },
    drained: () => {},
    closed: (code) => heard.push(code),
  });
  stage.run();
  stream.feed(joined(clientFrame(TEXT, "one"), clientFrame(TEXT, "two")));
  await stage.over();
  assert.deepEqual(heard, ["one", 1006]);
  assert.deepEqual(stage.said, []);
});

Deno.test("nothing is read before the owner listens", async () => {
  await using stage = new SocketStage();
  const { socket, stream } = stage;
  stage.run(clientFrame(TEXT, "behind the handshake"));
  stream.feed(clientFrame(TEXT, "later"));
  await settle();
  assert.equal(stream.reads, 0);
  socket.attach(stage.listener);
  assert.deepEqual(stage.heard, []);
  await settle();
  assert.deepEqual(stage.heard, ["behind the handshake", "later"]);
});

Deno.test("a link that pauses reads no more, not even what it has read", async () => {
  await using stage = new SocketStage();
  const { socket, stream } = stage;
  const heard: string[] = [];
  socket.attach({
    message: (data) => {
      heard.push(String(data));
      if (heard.length % 3 === 0) socket.pause();
    },
    drained: () => {},
    closed: (code) => heard.push(`closed ${code}`),
  });
  stage.run();
  const frames = Array.from({ length: 8 }, (_, at) => clientFrame(TEXT, `${at}`));
  stream.feed(joined(...frames), clientFrame(TEXT, "8"), clientClose(1000));
  await settle();
  const { reads } = stream;
  assert.deepEqual(heard, ["0", "1", "2"]);
  for (const wanted of [6, 9]) {
    socket.resume();
    await settle();
    assert.equal(heard.length, wanted);
  }
  assert.ok(stream.unread > 0 && stream.reads <= reads + 1, "the close is not read yet");
  socket.resume();
  await stage.over();
  assert.deepEqual(heard.slice(-2), ["8", "closed 1000"]);
});

Deno.test("pings are answered, behind what was sent, and too many of them end it", async () => {
  await using stage = SocketStage.started();
  const { socket, stream } = stage;
  socket.send("first");
  stream.feed(joined(clientFrame(PING, "one"), clientFrame(PING)));
  await settle();
  assert.deepEqual(stage.said, ["first", "pong one", "pong"]);
  for (let at = 2; at < MAX_PINGS - 1; at++) stream.feed(clientFrame(at % 2 === 0 ? PONG : PING));
  await settle();
  assert.equal(socket.readyState, READY_STATE.open);
  stream.feed(clientFrame(PONG));
  await settle();
  assert.equal(stage.said.at(-1), "close 1008 too many pings");
  assert.equal(stream.finished, true, "the close frame is followed by the end");
  stream.feed(null);
  await stage.over();
  assert.deepEqual(stage.heard, ["closed 1006"]);
});

Deno.test("a network that fails ends the connection, whatever was going on", async () => {
  for (const what of ["read", "write", "close"] as const) {
    await using stage = SocketStage.started();
    const { socket, stream } = stage;
    await settle();
    stream.stuck = true;
    if (what === "close") socket.close(1000, "");
    else socket.send("x");
    await settle();
    // As a reset does: reads and writes fail from now on.
    stream.close();
    await stage.over();
    assert.deepEqual(stage.heard, ["closed 1006"], what);
    assert.equal(socket.buffered, 0);
  }
});

Deno.test("a Web handler that throws costs its connection, with 1011, and is told", async () => {
  await using stage = new SocketStage();
  const { socket, stream } = stage;
  socket.addEventListener("message", () => {
    throw new Error("defect");
  });
  stage.run();
  stream.feed(clientFrame(TEXT, "one"), clientFrame(TEXT, "two"));
  await settle();
  assert.deepEqual(stage.said, ["close 1011 internal error"]);
  assert.equal(stage.failures.length, 1);
  stream.feed(clientClose(1011));
  await stage.over();
});

for (const what of ["message", "drained", "closed"] as const) {
  Deno.test(`a link's listener that throws at ${what} costs its connection, and is told`, async () => {
    await using stage = new SocketStage();
    const { socket, stream } = stage;
    const told: string[] = [];
    const note = (each: string) => {
      told.push(each);
      if (each === what) throw new Error("defect");
    };
    socket.attach({
      message: () => note("message"),
      drained: () => note("drained"),
      closed: () => note("closed"),
    });
    stage.run();
    if (what === "drained") socket.send("x".repeat(100_000));
    else stream.feed(clientFrame(TEXT, "one"));
    await eventually(() => told.length === 1, "the first that is told");
    if (what !== "closed") assert.equal(stage.said.at(-1), "close 1011 internal error");
    stream.feed(clientClose(1011), null);
    await stage.over();
    assert.equal(stream.closed, true);
    assert.equal(told.filter((each) => each === "closed").length, 1);
    assert.equal(stage.failures.length, 1, "the defect is told");
  });
}

Deno.test("a listener that comes as a property is heard, also when it comes late", async () => {
  await using stage = new SocketStage();
  const { socket, stream } = stage;
  stage.run();
  stream.feed(clientFrame(TEXT, "one"));
  await settle();
  const heard: unknown[] = [];
  socket.onmessage = ({ data }) => heard.push(data);
  socket.onclose = ({ code, wasClean }) => heard.push(code, wasClean);
  stream.feed(clientClose(4_000));
  await eventually(() => heard.length === 3, "the message and the close");
  assert.deepEqual(heard, ["one", 4_000, true]);
});

Deno.test("pings of a time in which nobody was heard may come all at once", async () => {
  await using stage = SocketStage.started();
  const { socket, stream } = stage;
  const honest = 3 * MAX_PINGS - 1;
  socket.rejuvenate(2 * PING_WINDOW_MS);
  stream.feed(joined(...new Array<Uint8Array>(honest).fill(clientFrame(PING))));
  await settle();
  assert.equal(stage.said.length, honest);
  assert.equal(socket.readyState, READY_STATE.open);
  stream.feed(clientFrame(PING));
  await settle();
  assert.equal(stage.said.at(-1), "close 1008 too many pings");
});

Deno.test("a sign of life is asked for by a ping, and anything that is read is one", async () => {
  await using stage = SocketStage.started();
  const { socket, stream } = stage;
  assert.deepEqual([socket.age(), socket.age(), socket.age()], [1, 2, 3]);
  socket.probe();
  await settle();
  assert.deepEqual(stage.said, ["ping"]);
  stream.feed(clientFrame(PONG));
  await settle();
  assert.equal(socket.age(), 1);
  socket.rejuvenate(17_000);
  assert.equal(socket.age(), 1);
  socket.pause();
  assert.deepEqual([socket.age(), socket.age()], [0, 0], "nobody is heard who is not listened to");
  socket.resume();
  assert.equal(socket.age(), 1);
  socket.close(1000, "");
  socket.probe();
  await settle();
  assert.deepEqual(stage.said, ["ping", "close 1000"]);
});

Deno.test("in a crowd an event waits for the next, and leaves before anything urgent", async () => {
  const stage = new SocketStage();
  const crowd = new WriteTurns(() => 1_000, () => 0);
  Object.assign(stage.house, { turns: crowd });
  await using started = stage;
  const { socket, stream } = started;
  started.run();
  socket.send("a lone event", { patient: true });
  await settle();
  assert.equal(stream.writes.length, 1);
  socket.send("event 1", { patient: true });
  await settle();
  socket.send("event 2", { patient: true });
  await settle();
  assert.equal(stream.writes.length, 1, "both wait");
  await eventually(() => stream.writes.length === 2, "one write for both");
  socket.send("event 3", { patient: true });
  socket.send("event 4", { patient: true });
  socket.send("urgent");
  socket.close(1000, "");
  await settle();
  assert.deepEqual(started.said, [
    "a lone event",
    "event 1",
    "event 2",
    "event 3",
    "event 4",
    "urgent",
    "close 1000",
  ]);
});

Deno.test("a message in any split of its bytes is the same message", async () => {
  const bytes = joined(
    clientFrame(TEXT, "a\u00fc", { final: false }),
    clientFrame(PING, "!"),
    clientFrame(0, "\u{1f600}"),
    clientFrame(BINARY, new Uint8Array(300).fill(7)),
    clientClose(1000, "bye"),
  );
  const expected = ["a\u00fc\u{1f600}", `<${new Uint8Array(300).fill(7)}>`, "closed 1000 bye"];
  for (const size of [1, 2, 3, 7, 100, bytes.length]) {
    await using stage = SocketStage.started();
    for (let at = 0; at < bytes.length; at += size) {
      stage.stream.feed(bytes.slice(at, at + size));
      await settle();
    }
    await stage.over();
    assert.deepEqual(stage.heard, expected, `pieces of ${size}`);
    assert.deepEqual(stage.said, ["pong !", "close 1000"]);
  }
});
