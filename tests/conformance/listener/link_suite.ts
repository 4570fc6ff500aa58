/** What every adapter of `ports/listener.ts` must do with a link beyond what the Web's surface has. */

import assert from "node:assert/strict";
import type { Link } from "../../../src/core/link.ts";
import { linkOf } from "../../../src/core/websocket_link.ts";
import { eventually } from "../../support/deadline.ts";
import { RawPeer } from "../../support/raw_peer.ts";
import {
  accepting,
  type ListenerUnderTest,
  schedule,
  type Stage,
  withListener,
} from "./listener_stage.ts";
import { Client } from "./socket_party.ts";

/** Registers the suite's tests for one adapter. */
export function testLinks({ name, listen, differences }: ListenerUnderTest): void {
  /** A test of a link beyond what the Web's surface has. */
  const test = (
    what: string,
    run: (stage: Stage & { link(): Promise<Link> }) => Promise<void>,
    accepted?: (link: Link) => void,
  ): void => {
    const links: Link[] = [];
    const routes = accepting((socket) => {
      const link = linkOf(socket, schedule);
      links.push(link);
      accepted?.(link);
    });
    Deno.test(`${name}, link: ${what}`, () =>
      withListener(
        listen,
        { serve: routes },
        (stage) => run({ ...stage, link: () => eventually(() => links.at(-1), "a link") }),
      ));
  };

  test("messages that come before a listener wait for it", async ({ port, link }) => {
    using client = new Client(port);
    await client.opened;
    for (let at = 0; at < 100; at++) client.socket.send(String(at));
    // What the pong answers came before it, where anything is read at all.
    client.socket.ping();
    const late = await link();
    const heard: unknown[] = [];
    late.attach({ message: (data) => heard.push(data), drained: () => {}, closed: () => {} });
    assert.deepEqual(heard, [], "nothing is told from inside a call");
    await eventually(() => heard.length === 100, "the messages");
    assert.deepEqual(heard, Array.from({ length: 100 }, (_, at) => String(at)));
  });

  test("a link that pauses loses nothing, and no order", async ({ port, link }) => {
    using client = new Client(port);
    await client.opened;
    const paused = await link();
    const heard: string[] = [];
    const ends: string[] = [];
    paused.attach({
      message: (data) => {
        heard.push(String(data));
        if (heard.length % 10 !== 0) return;
        const before = heard.length;
        paused.pause();
        setTimeout(() => {
          assert.equal(heard.length, before, "a message while it was paused");
          paused.resume();
        }, 5);
      },
      drained: () => {},
      closed: (code) => ends.push(`${code} after ${heard.length}`),
    });
    for (let at = 0; at < 105; at++) client.socket.send(String(at));
    client.socket.close(4_000);
    await eventually(() => ends.length > 0, "the end");
    assert.deepEqual(heard, Array.from({ length: 105 }, (_, at) => String(at)));
    assert.deepEqual(ends, ["4000 after 105"]);
  });

  test("what comes before a close is delivered, though reading paused", async (stage) => {
    using client = new Client(stage.port);
    await client.opened;
    const link = await stage.link();
    const told: string[] = [];
    link.pause();
    link.attach({
      message: (data) => told.push(String(data)),
      drained: () => {},
      closed: (code) => told.push(`closed ${code}`),
    });
    for (const each of ["one", "two", "three"]) client.socket.send(each);
    client.socket.close(4_000);
    // An adapter that reads on has answered the close before this comes.
    const later = await fetch(stage.url);
    await later.body?.cancel();
    assert.deepEqual(told, []);
    link.resume();
    await eventually(() => told.length === 4, "the messages and the close");
    assert.deepEqual(told, ["one", "two", "three", "closed 4000"]);
    await client.over;
  });

  test(`4 MB for a link that pauses: ${differences.pausedFlood}`, async (stage) => {
    using client = new Client(stage.port);
    await client.opened;
    const link = await stage.link();
    let bytes = 0;
    link.attach({ message: (data) => bytes += data.length, drained: () => {}, closed: () => {} });
    link.pause();
    for (let at = 0; at < 64; at++) client.socket.send(new Uint8Array(65_536));
    if (differences.pausedFlood !== "held") {
      assert.match(await client.over, differences.pausedFlood);
      return;
    }
    link.resume();
    await eventually(() => bytes === 64 * 65_536, "all that was sent");
  });

  test(`a terminated link's peer sees: ${differences.terminated}`, async ({ port, link }) => {
    using peer = await RawPeer.upgrade(port);
    const dropped = await link();
    const ends: string[] = [];
    dropped.attach({
      message: () => {},
      drained: () => {},
      closed: (code, reason) => ends.push(`${code} ${reason}`.trim()),
    });
    dropped.terminate();
    dropped.terminate();
    dropped.send("too late");
    assert.deepEqual(ends, [], "nothing is told from inside a call");
    assert.equal(await peer.closeFrame(), differences.terminated);
    await eventually(() => ends.length > 0, "the end");
    assert.deepEqual(ends, ["1006"]);
  });

  test("what a peer may send is bounded until the bound is lifted", async ({ port }) => {
    using flood = new Client(port);
    await flood.opened;
    for (let at = 0; at < 5; at++) flood.socket.send("x".repeat(3_000));
    assert.match(await flood.over, differences.boundBroken);
    using honest = new Client(port);
    await honest.opened;
    honest.socket.send("lift");
    assert.deepEqual(await honest.heard(1), ["lifted"]);
    honest.socket.send("x".repeat(500_000));
    assert.deepEqual(await honest.heard(2), ["lifted", "got 500000"]);
    honest.socket.close(4_000);
    assert.equal(await honest.over, "4000");
  }, (link) => {
    link.allow(10_000);
    let lifted = false;
    link.attach({
      message: (data) => {
        assert.ok(lifted || data.length <= 3_000);
        if (lifted) link.send(`got ${data.length}`);
        if (data !== "lift") return;
        lifted = true;
        link.allow(undefined);
        link.send("lifted");
      },
      drained: () => {},
      closed: () => {},
    });
  });

  test("a link's messages keep their order, whether they can wait or not", async ({ port }) => {
    using client = new Client(port);
    await client.opened;
    client.socket.send("go");
    assert.deepEqual(await client.heard(5), ["event 1", "event 2", "answer", "event 3", "event 4"]);
  }, (link) => {
    link.attach({
      message: () => {
        link.send("event 1", { patient: true });
        link.send("event 2", { patient: true });
        link.send("answer");
        link.send("event 3", { patient: true });
        queueMicrotask(() => link.send("event 4", { patient: true }));
      },
      drained: () => {},
      closed: () => {},
    });
  });
}
