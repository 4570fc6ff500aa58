/**
 * What a delivery costs before anything of a gateway: at each byte that comes on any connection, the same bytes are
 * written to every one, and nothing else. A connection that was accepted gets them once. Prints its address.
 */

import { BARE_EVENT_BYTES } from "./bare_writes.ts";

const event = new Uint8Array(BARE_EVENT_BYTES);
const connections = new Set<Deno.TcpConn>();

async function serve(connection: Deno.TcpConn): Promise<void> {
  connection.setNoDelay(true);
  connections.add(connection);
  await connection.write(event);
  const buffer = new Uint8Array(512);
  for (;;) {
    const causes = await connection.read(buffer);
    if (causes === null) break;
    for (let at = 0; at < causes; at++) {
      for (const each of connections) each.write(event).catch(() => connections.delete(each));
    }
  }
  connections.delete(connection);
  connection.close();
}

if (import.meta.main) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log(`listening on tcp://127.0.0.1:${listener.addr.port}`);
  for await (const connection of listener) serve(connection).catch(() => connection.close());
}
