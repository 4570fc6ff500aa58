/** The baseline of the control channel: lines over TCP, each sent back, and nothing else. Prints its address. */

const decoder = new TextDecoder();
const encoder = new TextEncoder();

async function echo(connection: Deno.TcpConn): Promise<void> {
  connection.setNoDelay(true);
  const buffer = new Uint8Array(32 * 1024);
  let rest = "";
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) break;
    const lines = (rest + decoder.decode(buffer.subarray(0, count), { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    let bytes = encoder.encode(lines.map((line) => `${line}\n`).join(""));
    while (bytes.length > 0) bytes = bytes.subarray(await connection.write(bytes));
  }
  connection.close();
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(`listening on tcp://127.0.0.1:${listener.addr.port}`);
for await (const connection of listener) echo(connection).catch(() => connection.close());
