import assert from "node:assert/strict";
import { parseTcpTable, portHolder } from "../../../src/cli/port_holder.ts";

const TABLE =
  `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:4965 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 41234 1 0 100 0 0 10 0
   1: 0100007F:4965 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 41235 1 0 20 4 30 10 -1
   2: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0 100 0 0 10 0
   3: garbage
`;

Deno.test("the listening sockets of a table are found, and nothing else", () => {
  assert.deepEqual(parseTcpTable(TABLE), [
    { port: 18_789, inode: "41234", uid: 1_000, scope: "127.0.0.1" },
    { port: 8_080, inode: "99", uid: 0, scope: "::1" },
  ]);
  assert.deepEqual(parseTcpTable(""), []);
});

Deno.test({
  name: "the program that holds a port is this one, and nobody holds it afterwards",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const found = await portHolder(port);
    listener.close();
    assert.equal(found?.held, true);
    assert.equal(found.holder?.pid, Deno.pid);
    assert.match(found.holder?.program ?? "", /deno/i);
    assert.deepEqual(await portHolder(port), { held: false });
  },
});
