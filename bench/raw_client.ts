/**
 * A load client on a bare TCP connection: WebSocket frames prepared once and written many at a time, so
 * that the load costs next to nothing and a server meets a peer that uses its network well.
 */

import { within } from "./deadline.ts";

/** An echo's client. */
export interface RawClient {
  /** Keeps `depth` messages in flight until `until` (of `performance.now()`); resolves with the answers. */
  keepInFlight(depth: number, until: number): Promise<number>;
  close(): void;
}

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const MASK = [0x37, 0xfa, 0x21, 0x3d] as const;
const READ_BYTES = 64 * 1024;

/**
 * Opens a WebSocket whose messages are all `text` and are echoed; at a `tcp:` URL a connection without frames. `text` is
 * ASCII, 126 to 65,535 long.
 */
export async function openRawEcho(url: string, text: string): Promise<RawClient> {
  const bare = url.startsWith("tcp:");
  const connection = bare ? await connected(url) : await upgraded(url);
  const frame = bare ? new TextEncoder().encode(text) : maskedFrame(text);
  const answerBytes = (bare ? 0 : 4) + text.length;
  const buffer = new Uint8Array(READ_BYTES);
  return {
    async keepInFlight(depth, until) {
      let answered = 0;
      let inFlight = depth;
      let bytes = 0;
      await writeAll(connection, repeated(frame, depth));
      while (inFlight > 0) {
        const read = await within("an echo", connection.read(buffer));
        if (read === null) throw new Error("the server closed an echo's connection");
        bytes += read;
        const answers = Math.floor(bytes / answerBytes);
        bytes -= answers * answerBytes;
        answered += answers;
        if (performance.now() < until) await writeAll(connection, repeated(frame, answers));
        else inFlight -= answers;
      }
      return answered;
    },
    close: () => connection.close(),
  };
}

async function connected(url: string): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  connection.setNoDelay(true);
  return connection;
}

/** Opens a connection and has it upgraded; reads the answer's head and no more than that. */
async function upgraded(url: string): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(url);
  const connection = await connected(url);
  const lines = [
    "GET / HTTP/1.1",
    `Host: ${hostname}:${port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${KEY}`,
  ];
  await writeAll(connection, new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  const byte = new Uint8Array(1);
  let head = "";
  while (!head.endsWith("\r\n\r\n")) {
    if (await within("an upgrade", connection.read(byte)) === null) break;
    head += String.fromCharCode(byte[0] ?? 0);
  }
  if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(`no upgrade: ${head.slice(0, 200)}`);
  return connection;
}

function maskedFrame(text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const head = [0x81, 0x80 | 126, payload.length >> 8, payload.length & 0xff, ...MASK];
  return Uint8Array.from([...head, ...payload.map((byte, at) => byte ^ (MASK[at & 3] ?? 0))]);
}

function repeated(frame: Uint8Array, times: number): Uint8Array {
  const all = new Uint8Array(frame.length * times);
  for (let at = 0; at < times; at++) all.set(frame, at * frame.length);
  return all;
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
