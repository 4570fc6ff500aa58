import assert from "node:assert/strict";
import { join } from "node:path";
import {
  type LineAddress,
  type LineListener,
  listenLines,
  MAX_CONNECTIONS,
  SILENT_BOUNDS,
} from "../../../src/adapters/line_listener.ts";
import type { Link } from "../../../src/core/link.ts";
import { ListenError } from "../../../src/ports/listener.ts";
import { eventually } from "../../support/deadline.ts";
import { LinePeer, type LineTarget } from "../../support/line_peer.ts";
import { hasIpv6 } from "../../support/loopback_ipv6.ts";
import { inTempFolder, testInTempFolder } from "../../support/temp_folder.ts";

const LOOPBACK = { transport: "tcp", hostname: "127.0.0.1", port: 0 } as const;

interface Running {
  readonly listener: LineListener;
  readonly target: LineTarget;
  readonly links: readonly Link[];
  readonly closed: readonly number[];
  readonly faults: readonly unknown[];
}

/** Runs a listener that echoes. */
async function withListener(
  work: (running: Running) => Promise<void>,
  { address = LOOPBACK, accept }: { address?: LineAddress; accept?: (link: Link) => void } = {},
): Promise<void> {
  const links: Link[] = [];
  const closed: number[] = [];
  const faults: unknown[] = [];
  const listener = await listenLines({
    address,
    maxLineBytes: 1_000,
    lastWord: (_code, reason) => reason === "" ? undefined : reason,
    failed: (error) => faults.push(error),
    accept: accept ?? ((link) => {
      links.push(link);
      link.attach({
        message: (line) => link.send(`echo ${line}`),
        drained: () => {},
        closed: (code) => closed.push(code),
      });
    }),
  });
  const target = address.transport === "unix"
    ? { path: address.path }
    : { port: Number(listener.name.split(":").at(-1)) };
  try {
    await work({ listener, target, links, closed, faults });
  } finally {
    await listener.stop(0);
  }
}

Deno.test("lines go to and fro over TCP", async () => {
  await withListener(async ({ target, listener }) => {
    assert.match(listener.name, /^127\.0\.0\.1:\d+$/);
    using peer = await LinePeer.open(target);
    await peer.write("a\r\nb\n");
    assert.deepEqual([await peer.line(), await peer.line()], ["echo a", "echo b"]);
  });
});

testInTempFolder(
  "lines go to and fro over a Unix socket, whose file is gone at the end",
  async (folder) => {
    const path = join(folder, "x.sock");
    await withListener(async ({ target, listener }) => {
      assert.equal(listener.name, path);
      using peer = await LinePeer.open(target);
      await peer.write("a\n");
      assert.equal(await peer.line(), "echo a");
    }, { address: { transport: "unix", path } });
    await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
  },
);

for (const hostname of ["127.0.0.1", "localhost"]) {
  Deno.test({
    name: `both addresses of loopback are held for ${hostname}, under one bound`,
    ignore: !hasIpv6(),
    fn: () =>
      withListener(async ({ target, listener, links }) => {
        assert.match(listener.name, /^127\.0\.0\.1:\d+$/);
        assert.ok("port" in target);
        for (const address of ["127.0.0.1", "::1"]) {
          using peer = await LinePeer.open({ ...target, hostname: address });
          await peer.write("a\n");
          assert.equal(await peer.line(), "echo a");
        }
        assert.equal(links.length, 2);
        await listener.stop(0);
        for (const address of ["127.0.0.1", "::1"]) {
          await assert.rejects(
            LinePeer.open({ ...target, hostname: address }),
            Deno.errors.ConnectionRefused,
          );
        }
      }, { address: { transport: "tcp", hostname, port: 0 } }),
  });
}

for (const hostname of ["0.0.0.0", "::", "192.0.2.1", "example.org", ""]) {
  Deno.test(`an address that is not loopback is refused: ${JSON.stringify(hostname)}`, async () => {
    const address = { transport: "tcp", hostname, port: 0 } as const;
    await assert.rejects(withListener(async () => {}, { address }), (error) => {
      assert.ok(error instanceof ListenError);
      assert.equal(error.reason, "not-permitted");
      assert.match(error.message, /only loopback addresses will do, such as 127\.0\.0\.1$/);
      return true;
    });
  });
}

Deno.test("a port that is taken is told in words", async () => {
  await withListener(async ({ target }) => {
    const port = "port" in target ? target.port : 0;
    const address = { ...LOOPBACK, port };
    await assert.rejects(withListener(async () => {}, { address }), (error) => {
      assert.ok(error instanceof ListenError);
      assert.equal(error.reason, "in-use");
      return true;
    });
  });
});

Deno.test("of those that say nothing the oldest give way, and those that spoke stay", async () => {
  await withListener(async ({ target, links, closed }) => {
    using honest = await LinePeer.open(target);
    await honest.write("a\n");
    assert.equal(await honest.line(), "echo a");
    const silent: LinePeer[] = [];
    const extra = 20;
    for (let at = 0; at < SILENT_BOUNDS.total + extra; at++) {
      silent.push(await LinePeer.open(target));
    }
    await eventually(() => closed.length === extra, "the oldest to be closed");
    assert.equal(links.length, 1 + silent.length);
    assert.equal(await silent[0]?.line(), undefined);
    await honest.write("b\n");
    assert.equal(await honest.line(), "echo b");
    const last = silent.at(-1);
    await last?.write("c\n");
    assert.equal(await last?.line(), "echo c");
    for (const peer of silent) peer[Symbol.dispose]();
  });
});

Deno.test("connections at once are bounded", async () => {
  await withListener(async ({ target, links }) => {
    const peers: LinePeer[] = [];
    for (let at = 0; at < MAX_CONNECTIONS; at++) {
      const peer = await LinePeer.open(target);
      peers.push(peer);
      await peer.write("a\n");
      await peer.line();
    }
    using late = await LinePeer.open(target);
    assert.equal(await late.line(), undefined);
    assert.equal(links.length, MAX_CONNECTIONS);
    for (const peer of peers) peer[Symbol.dispose]();
    await eventually(async () => {
      using next = await LinePeer.open(target);
      await next.write("b\n");
      return await next.line() === "echo b";
    }, "room for others");
  });
});

Deno.test("at a stop those who do not leave are dropped after the grace", async () => {
  await withListener(async ({ listener, target, closed, links }) => {
    using peer = await LinePeer.open(target);
    await peer.write("a\n");
    await peer.line();
    links[0]?.pause();
    await listener.stop(50);
    assert.deepEqual(closed, [1006]);
    assert.equal(await peer.line(), undefined);
    await assert.rejects(LinePeer.open(target), Deno.errors.ConnectionRefused);
  });
});

Deno.test("an owner that fails costs that connection alone", async () => {
  let count = 0;
  const accept = (link: Link) => {
    if (++count === 1) throw new Error("a defect");
    link.attach({ message: (line) => link.send(String(line)), drained() {}, closed() {} });
  };
  await withListener(async ({ target, faults }) => {
    using first = await LinePeer.open(target);
    assert.equal(await first.line(), undefined);
    assert.equal(faults.length, 1);
    using second = await LinePeer.open(target);
    await second.write("a\n");
    assert.equal(await second.line(), "a");
  }, { accept });
});

Deno.test("a socket's folder that others may enter is refused", async () => {
  await inTempFolder(async (folder) => {
    await Deno.chmod(folder, 0o777);
    const address = { transport: "unix", path: join(folder, "x.sock") } as const;
    await assert.rejects(withListener(async () => {}, { address }), ListenError);
  });
});
