/** What every adapter of `ports/listener.ts` must do with a WebSocket, seen as the Web's surface and as a link. */

import assert from "node:assert/strict";
import { READY_STATE } from "../../../src/core/websocket.ts";
import { eventually, within } from "../../support/deadline.ts";
import { RawPeer } from "../../support/raw_peer.ts";
import { clientFrame, joined } from "../../support/websocket_frames.ts";
import {
  accepting,
  type ListenerUnderTest,
  MAX_MESSAGE_BYTES,
  type Stage,
  withListener,
} from "./listener_stage.ts";
import { Client, echo, type Party, type PartyOptions, SURFACES } from "./socket_party.ts";

const TEXTS = [
  "a",
  "",
  "\0",
  "é",
  "日本語",
  "\u{1f600}",
  "\ufeff",
  "x".repeat(125),
  "x".repeat(126),
];
const LARGE_TEXTS = ["x".repeat(65_535), "ü".repeat(65_536), "日".repeat(1_000_000)];
const LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 3_000_000];

/** Registers the suite's tests for one adapter. */
export function testWebSockets({ name, listen, differences }: ListenerUnderTest): void {
  for (const [surface, serve] of Object.entries(SURFACES)) {
    /** A test with a listener that accepts every socket, and a way to the party behind the newest. */
    const test = (
      what: string,
      run: (stage: Stage & { parties: Party[]; party(): Promise<Party> }) => Promise<void>,
      heard?: PartyOptions["heard"],
    ): void => {
      Deno.test(`${name}, ${surface}: ${what}`, async () => {
        const parties: Party[] = [];
        const routes = accepting((socket) => void parties.push(serve(socket, { heard })));
        await withListener(listen, { serve: routes }, async (stage) => {
          const party = () => eventually(() => parties.at(-1), "an accepted socket");
          await run({ ...stage, parties, party });
        });
      });
    };

    test("messages come back as they were sent, in order", async ({ port }) => {
      using client = new Client(port);
      await client.opened;
      const sent: (string | Uint8Array<ArrayBuffer>)[] = [...TEXTS, ...LARGE_TEXTS];
      for (const length of LENGTHS) sent.push(Uint8Array.from({ length }, (_, at) => at * 7));
      for (const message of sent) client.socket.send(message);
      assert.deepEqual(await client.heard(sent.length), sent);
    }, echo);

    test("a thousand messages keep their order and kind", async ({ port }) => {
      using client = new Client(port);
      await client.opened;
      const sent = Array.from(
        { length: 1_000 },
        (_, at) => at % 3 === 0 ? new Uint8Array([at, at >> 8]) : `message ${at}`,
      );
      for (const message of sent) client.socket.send(message);
      assert.deepEqual(await client.heard(sent.length), sent);
    }, echo);

    test("a message in fragments with pings between them is one message", async ({ port }) => {
      using peer = await RawPeer.upgrade(port);
      await peer.write(joined(
        clientFrame(1, "a\u00fc", { final: false }),
        clientFrame(9, "beat"),
        clientFrame(0, "", { final: false }),
        clientFrame(0, "\u{1f600}z"),
      ));
      const frames = [await peer.frame(), await peer.frame()];
      const seen = frames.map((frame) =>
        `${frame?.opcode} ${new TextDecoder().decode(frame?.payload)}`
      );
      assert.deepEqual(seen.toSorted(), ["1 a\u00fc\u{1f600}z", "10 beat"]);
    }, echo);

    test("a text that is not UTF-8 ends its connection with 1007", async ({ port, party }) => {
      using peer = await RawPeer.upgrade(port);
      await peer.write(clientFrame(1, new Uint8Array([0x61, 0xff])));
      assert.match(await peer.closeFrame(), /^(1007|end)/);
      assert.deepEqual((await party()).messages, []);
      await (await party()).over;
    });

    test("a socket is open when it is accepted, and what is sent at once arrives", async (stage) => {
      const { port, parties } = stage;
      using client = new Client(port);
      const party = await eventually(() => parties[0], "an accepted socket");
      party.send("first");
      party.send("second");
      assert.deepEqual(await client.heard(2), ["first", "second"]);
      assert.equal(party.socket.protocol, "");
      assert.equal(client.socket.protocol, "");
    });

    test("codes and reasons of a close reach the other side, both ways", async ({ port, party }) => {
      const rows = [
        [1000, "bye"],
        [1000, ""],
        [1001, "going"],
        [1008, "policy"],
        [1011, ""],
        [3000, "\u00fc\u{1f600}"],
        [4999, "x".repeat(123)],
      ] as const;
      for (const [code, reason] of rows) {
        const expected = `${code} ${reason}`.trim();
        using leaver = new Client(port);
        await leaver.opened;
        const left = await party();
        leaver.socket.close(code, reason);
        assert.equal(await left.over, expected);
        assert.match(await leaver.over, new RegExp(`^${code}`));
        assert.equal(left.socket.readyState, READY_STATE.closed);
        assert.deepEqual(left.ends, [expected]);

        using stayer = new Client(port);
        await stayer.opened;
        const leaving = await eventually(async () => {
          const newest = await party();
          return newest !== left && newest;
        }, "another socket");
        leaving.close(code, reason);
        assert.equal(leaving.socket.readyState, READY_STATE.closing);
        assert.equal(await stayer.over, expected);
        assert.match(await leaving.over, new RegExp(`^${code}`));
        assert.equal(leaving.ends.length, 1);
      }
    });

    test("a close without a code is 1005 on both sides", async ({ port, party }) => {
      using client = new Client(port);
      await client.opened;
      const left = await party();
      client.socket.close();
      assert.equal(await left.over, "1005");
      assert.equal(await client.over, "1005");
    });

    test("a peer that vanishes is 1006", async ({ port, party }) => {
      using client = new Client(port);
      await client.opened;
      const left = await party();
      client.socket.terminate();
      assert.equal(await left.over, surface === "link" ? "1006" : differences.vanished);
      assert.equal(left.socket.readyState, READY_STATE.closed);
    });

    test("what is queued goes out before a close, and nothing after it", async ({ port, party }) => {
      using client = new Client(port);
      await client.opened;
      const leaving = await party();
      for (let at = 0; at < 50; at++) leaving.send(`${at} `.padEnd(50_000, "."));
      leaving.close(4_000, "enough");
      leaving.send("too late");
      leaving.close(4_001, "twice");
      assert.equal(await client.over, "4000 enough");
      assert.deepEqual(
        client.messages.map((message) => parseInt(String(message))),
        Array.from({ length: 50 }, (_, at) => at),
      );
      await leaving.over;
      leaving.send("far too late");
      leaving.close(4_002, "");
      assert.equal(leaving.ends.length, 1);
    });

    test("what waits for the network is counted, until it is gone", async ({ port, party }) => {
      using client = new Client(port);
      await client.opened;
      const sender = await party();
      assert.equal(sender.socket.bufferedAmount, 0);
      client.socket.pause();
      const chunk = new Uint8Array(256 * 1024);
      await eventually(() => {
        sender.send(chunk);
        return sender.socket.bufferedAmount > 8 * 1024 * 1024;
      }, "a full network");
      const before = sender.socket.bufferedAmount;
      sender.send(chunk);
      assert.ok(sender.socket.bufferedAmount >= before + chunk.length);
      client.socket.resume();
      await eventually(() => sender.socket.bufferedAmount === 0, "an empty buffer");
      if (surface === "link") await eventually(() => sender.drained > 0, "drained to be told");
    });

    test("a ping is answered with its own payload", async ({ port, party }) => {
      using client = new Client(port);
      await client.opened;
      await party();
      client.socket.ping("a".repeat(125));
      client.socket.ping();
      await eventually(() => client.pongs.length === 2, "two pongs");
      assert.deepEqual(client.pongs, ["a".repeat(125), ""]);
    });

    test(`a message beyond the bound: ${differences.longMessage}`, async ({ port }) => {
      using fits = new Client(port);
      await fits.opened;
      fits.socket.send("x".repeat(MAX_MESSAGE_BYTES));
      assert.equal((await fits.heard(1))[0]?.length, MAX_MESSAGE_BYTES);
      using client = new Client(port);
      await client.opened;
      client.socket.send("x".repeat(MAX_MESSAGE_BYTES + 1));
      if (differences.longMessage === "echo") {
        assert.equal((await client.heard(1))[0]?.length, MAX_MESSAGE_BYTES + 1);
      } else assert.equal(await client.over, differences.longMessage);
    }, echo);

    test(`a frame without a mask: ${differences.unmasked}`, async ({ port }) => {
      using peer = await RawPeer.upgrade(port);
      await peer.write(new Uint8Array([0x81, 2, 0x68, 0x69]));
      const frame = await peer.frame();
      const text = new TextDecoder().decode(frame?.payload.subarray(frame.opcode === 8 ? 2 : 0));
      const outcome = frame?.opcode === 1 && text === "hi" ? "echo" : `1002 ${text}`;
      assert.equal(outcome, differences.unmasked);
    }, echo);

    test(`a message in 2,000 fragments: ${differences.manyFragments}`, async ({ port }) => {
      using peer = await RawPeer.upgrade(port);
      const frames = Array.from(
        { length: 2_000 },
        (_, at) => clientFrame(at === 0 ? 1 : 0, "x", { final: at === 1_999 }),
      );
      await peer.tryWrite(joined(...frames));
      const frame = await peer.frame();
      const outcome = frame?.opcode === 1
        ? "echo"
        : `1009 ${new TextDecoder().decode(frame?.payload.subarray(2))}`;
      assert.equal(outcome, differences.manyFragments);
    }, echo);

    test(`150 pings in a row: ${differences.manyPings}`, async ({ port, party }) => {
      using client = new Client(port);
      await client.opened;
      await party();
      for (let at = 0; at < 150; at++) client.socket.ping(String(at));
      if (differences.manyPings === "150 pongs") {
        await eventually(() => client.pongs.length === 150, "150 pongs");
      } else assert.equal(await client.over, differences.manyPings);
    });

    test("a stop drops sockets after its grace, and their owners are told", async (stage) => {
      using client = new Client(stage.port);
      await client.opened;
      const party = await stage.party();
      const stopped = stage.stop(100);
      party.send("still here");
      await client.heard(1);
      assert.deepEqual(party.ends, []);
      await within(stopped, "the stop", 2_000);
      await party.over;
      await client.over;
      assert.equal(party.socket.readyState, READY_STATE.closed);
    });

    test("a stop is over with the last socket", async (stage) => {
      using client = new Client(stage.port);
      await client.opened;
      const party = await stage.party();
      const stopped = stage.stop(60_000);
      party.close(1012, "service restart");
      assert.equal(await client.over, "1012 service restart");
      await within(stopped, "the stop", 2_000);
    });
  }
}
