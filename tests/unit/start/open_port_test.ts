import assert from "node:assert/strict";
import { openPort } from "../../../src/start/open_port.ts";
import { hasIpv6 } from "../../support/loopback_ipv6.ts";
import { MemoryLog } from "../../support/memory_log.ts";

for (const hostname of ["127.0.0.1", "localhost", "LOCALHOST"]) {
  Deno.test({
    name: `both addresses of loopback are held for ${hostname}`,
    ignore: !hasIpv6(),
    fn: async () => {
      await using opened = new AsyncDisposableStack();
      const port = await openPort({ hostname, port: 0 }, {
        name: "the listener",
        serve: () => new Response("hello"),
        maxMessageBytes: 1_000,
        log: new MemoryLog(),
        opened,
      });
      for (const address of ["127.0.0.1", "[::1]"]) {
        const response = await fetch(`http://${address}:${port}/`);
        assert.equal(await response.text(), "hello");
      }
    },
  });
}
