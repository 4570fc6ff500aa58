import assert from "node:assert/strict";
import { join } from "node:path";
import { WATCH_INTERVAL_MS, watchFiles } from "../../../src/adapters/file_watch.ts";
import { eventually } from "../../support/deadline.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { inTempFolder } from "../../support/temp_folder.ts";

/** A watch whose every look is waited for. */
class Watch {
  readonly clock = new ManualClock();
  readonly told: string[] = [];
  /** What a call of `changed` waits for. */
  held: Promise<void> = Promise.resolve();
  readonly stop: () => void;

  constructor(paths: readonly string[]) {
    this.stop = watchFiles(paths, {
      clock: this.clock,
      changed: async (path) => {
        this.told.push(path);
        await this.held;
      },
    });
  }

  /** The look that goes on has ended; the next one waits for its time. */
  async rest(): Promise<void> {
    await eventually(() => this.clock.waiting === 1, "the end of a look");
  }

  /** Looks once; the paths that were told. */
  async look(): Promise<readonly string[]> {
    await this.rest();
    await this.clock.advance(WATCH_INTERVAL_MS);
    await this.rest();
    return this.told.splice(0);
  }
}

interface ChangeRow {
  readonly name: string;
  /** Absent: there is no file at first. */
  readonly before?: string;
  readonly change: (path: string) => Promise<void>;
}

const CHANGES: readonly ChangeRow[] = [
  {
    name: "written",
    before: "old",
    change: (path) => Deno.writeTextFile(path, "longer than before"),
  },
  {
    name: "lengthened and given its old time",
    before: "old",
    change: async (path) => {
      const { mtime } = await Deno.stat(path);
      await Deno.writeTextFile(path, "longer");
      await Deno.utime(path, mtime ?? 0, mtime ?? 0);
    },
  },
  { name: "emptied", before: "old", change: (path) => Deno.writeTextFile(path, "") },
  {
    name: "written with as many bytes at another time",
    before: "old",
    change: async (path) => {
      await Deno.writeTextFile(path, "new");
      await Deno.utime(path, 1_000, 1_000);
    },
  },
  {
    name: "replaced by another of the same size and time",
    before: "old",
    change: async (path) => {
      const { mtime } = await Deno.stat(path);
      const draft = `${path}.draft`;
      await Deno.writeTextFile(draft, "new");
      await Deno.utime(draft, mtime ?? 0, mtime ?? 0);
      await Deno.rename(draft, path);
    },
  },
  { name: "made", change: (path) => Deno.writeTextFile(path, "new") },
  { name: "removed", before: "old", change: (path) => Deno.remove(path) },
];

for (const { name, before, change } of CHANGES) {
  Deno.test(`a file that was ${name} is told once`, () =>
    inTempFolder(async (folder) => {
      const path = join(folder, "settings.json");
      const quiet = join(folder, "quiet.json");
      await Deno.writeTextFile(quiet, "quiet");
      if (before !== undefined) await Deno.writeTextFile(path, before);
      const watch = new Watch([quiet, path]);
      assert.deepEqual(await watch.look(), [], "told before anything changed");
      await change(path);
      assert.deepEqual(await watch.look(), [path]);
      assert.deepEqual(await watch.look(), [], "told twice");
      watch.stop();
    }));
}

Deno.test("files that change between two looks are told in their order, each once", () =>
  inTempFolder(async (folder) => {
    const paths = ["b", "a", "c"].map((name) => join(folder, name));
    const watch = new Watch(paths);
    await watch.look();
    for (const path of paths.toReversed()) {
      await Deno.writeTextFile(path, "1");
      await Deno.writeTextFile(path, "12");
    }
    assert.deepEqual(await watch.look(), paths);
    watch.stop();
  }));

Deno.test("no look begins while a change is dealt with", () =>
  inTempFolder(async (folder) => {
    const paths = [join(folder, "a"), join(folder, "b")];
    const watch = new Watch(paths);
    await watch.look();
    const dealt = Promise.withResolvers<void>();
    watch.held = dealt.promise;
    for (const path of paths) await Deno.writeTextFile(path, "1");
    await watch.clock.advance(WATCH_INTERVAL_MS);
    await eventually(() => watch.told.length === 1, "the first change");
    assert.equal(watch.clock.waiting, 0);
    dealt.resolve();
    await watch.rest();
    assert.deepEqual(watch.told, paths);
    watch.stop();
  }));

Deno.test("after the stop nothing is told and nothing waits, also when a look is under way", () =>
  inTempFolder(async (folder) => {
    const paths = [join(folder, "a"), join(folder, "b")];
    const watch = new Watch(paths);
    await watch.look();
    watch.stop();
    assert.equal(watch.clock.waiting, 0);

    const second = new Watch(paths);
    await second.look();
    const dealt = Promise.withResolvers<void>();
    second.held = dealt.promise;
    for (const path of paths) await Deno.writeTextFile(path, "1");
    await second.clock.advance(WATCH_INTERVAL_MS);
    await eventually(() => second.told.length === 1, "the first change");
    second.stop();
    dealt.resolve();
    // A look of a third watch at the same files ends behind that of the second.
    const third = new Watch(paths);
    await third.look();
    third.stop();
    assert.deepEqual([watch.told, second.told], [[], [paths[0]]]);
    assert.equal(second.clock.waiting, 0);
  }));
