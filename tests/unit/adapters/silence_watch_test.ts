import assert from "node:assert/strict";
import { SilenceWatch, type Watched } from "../../../src/adapters/silence_watch.ts";

const ROUND_MS = 15_000;

/** A connection that counts rounds as a socket does. */
class Peer implements Watched {
  probes = 0;
  dropped = false;
  paused = false;
  unheardMs = 0;
  #silence = 0;

  age(): number {
    return this.#silence = this.paused ? 0 : this.#silence + 1;
  }

  rejuvenate(unheardMs: number): void {
    this.#silence = 0;
    this.unheardMs = unheardMs;
  }

  probe(): void {
    this.probes++;
  }

  terminate(): void {
    this.dropped = true;
  }
}

/** A watch whose rounds and clock a test moves. */
function stage(...peers: readonly Peer[]) {
  let now = 1_000;
  const watched = new Set<Watched>(peers);
  const watch = new SilenceWatch(watched, () => now);
  watch.start();
  return {
    watched,
    /** The next round, `lateMs` later than it should be. */
    round(lateMs = 0): void {
      now += ROUND_MS + lateMs;
      watch.round();
    },
    [Symbol.dispose]: () => watch.stop(),
  };
}

Deno.test("a silent peer is asked after two rounds and dropped after five", () => {
  const peer = new Peer();
  using rounds = stage(peer);
  const seen: string[] = [];
  for (let at = 0; at < 6; at++) {
    rounds.round();
    seen.push(`${peer.probes} ${peer.dropped}`);
  }
  assert.deepEqual(seen, ["0 false", "0 false", "1 false", "2 false", "3 false", "3 true"]);
});

Deno.test("a peer that answers is heard: nothing is counted against it", () => {
  const peer = new Peer();
  using rounds = stage(peer);
  for (let at = 0; at < 20; at++) {
    rounds.round();
    if (peer.probes > 0) {
      peer.rejuvenate(0);
      peer.probes = 0;
    }
  }
  assert.equal(peer.dropped, false);
});

Deno.test("a round that comes late blames nobody for what was before it", () => {
  const peer = new Peer();
  using rounds = stage(peer);
  for (let at = 0; at < 30; at++) rounds.round(at % 2 === 1 ? 5_000 : 0);
  assert.deepEqual({ probes: peer.probes, dropped: peer.dropped }, { probes: 0, dropped: false });
  assert.equal(peer.unheardMs, ROUND_MS + 5_000);
  // A little late is no excuse, and lateness does not add up.
  for (let at = 0; at < 6; at++) rounds.round(1_900);
  assert.equal(peer.dropped, true);
});

Deno.test("a peer that nobody reads from is not blamed, and starts anew afterwards", () => {
  const peer = new Peer();
  using rounds = stage(peer, new Peer());
  for (let at = 0; at < 2; at++) rounds.round();
  peer.paused = true;
  for (let at = 0; at < 20; at++) rounds.round();
  assert.deepEqual([peer.probes, peer.dropped], [0, false]);
  peer.paused = false;
  for (let at = 0; at < 5; at++) rounds.round();
  assert.deepEqual([peer.probes, peer.dropped], [3, false]);
  rounds.round();
  assert.equal(peer.dropped, true);
});

// The sanitizer of this test sees a timer that is left.
Deno.test("a watch without connections stops by itself, and starts again", () => {
  const peers = new Set<Watched>([new Peer()]);
  const watch = new SilenceWatch(peers);
  watch.start();
  watch.start();
  peers.clear();
  watch.round();
  peers.add(new Peer());
  watch.start();
  watch.stop();
  watch.stop();
});
