/** What an echo costs before anything of a WebSocket: bytes that come are written back, and nothing else. Prints its address. */

async function echo(connection: Deno.TcpConn): Promise<void> {
  connection.setNoDelay(true);
  const buffer = new Uint8Array(32 * 1024);
  for (let read = await connection.read(buffer); read !== null;) {
    for (let at = 0; at < read;) at += await connection.write(buffer.subarray(at, read));
    read = await connection.read(buffer);
  }
  connection.close();
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(`listening on tcp://127.0.0.1:${listener.addr.port}`);
for await (const connection of listener) echo(connection).catch(() => connection.close());
