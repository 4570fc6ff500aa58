import assert from "node:assert/strict";
import { EventStream, MAX_WAITING_EVENTS } from "../../../src/client/event_stream.ts";

function event(payload: unknown, name = "chat") {
  return { event: name, payload };
}

Deno.test("an event goes to the reader that waits for it", async () => {
  const stream = new EventStream([]);
  const next = stream.next();
  stream.push(event(1));
  assert.deepEqual(await next, { done: false, value: event(1) });
});

Deno.test("the oldest events give way and are counted", async () => {
  const stream = new EventStream([], { capacity: 2 });
  for (const payload of [1, 2, 3, 4]) stream.push(event(payload));
  stream.close();
  assert.deepEqual((await Array.fromAsync(stream)).map(({ payload }) => payload), [3, 4]);
  assert.equal(stream.lost, 2);
});

Deno.test("a stream holds a bounded number of events unless told otherwise", () => {
  const stream = new EventStream([]);
  for (let index = 0; index <= MAX_WAITING_EVENTS; index++) stream.push(event(index));
  assert.equal(stream.lost, 1);
});

Deno.test("only the named events are taken", async () => {
  const stream = new EventStream(["chat", "agent"]);
  for (const name of ["tick", "agent", "health", "chat"]) stream.push(event(0, name));
  stream.close();
  assert.deepEqual((await Array.fromAsync(stream)).map((item) => item.event), ["agent", "chat"]);
});

Deno.test("closing ends the readers that wait, once, and nothing is taken after it", async () => {
  let closed = 0;
  const stream = new EventStream([], { onClose: () => closed++ });
  const readers = [stream.next(), stream.next()];
  stream.close();
  stream.close();
  stream.push(event(1));
  assert.deepEqual((await Promise.all(readers)).map(({ done }) => done), [true, true]);
  assert.equal((await stream.next()).done, true);
  assert.equal(closed, 1);
});

Deno.test("leaving the loop closes the stream", async () => {
  let closed = 0;
  const stream = new EventStream([], { onClose: () => closed++ });
  stream.push(event(1));
  stream.push(event(2));
  for await (const { payload } of stream) {
    assert.equal(payload, 1);
    break;
  }
  assert.equal(closed, 1);
  assert.equal((await stream.next()).done, true);
});
