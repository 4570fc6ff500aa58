/** A load client for lines: one request prepared once and written many at a time, answers only counted. */

import { within } from "./deadline.ts";

/** A connection whose peer answers every line with a line. */
export interface LineClient {
  /** Keeps `depth` lines in flight until `until` (of `performance.now()`); resolves with the answers. */
  keepInFlight(depth: number, until: number): Promise<number>;
  close(): void;
}

const READ_BYTES = 64 * 1024;
const LF = 0x0a;

/** Opens one. `greeting`: lines that the server sends unasked. */
export async function openLines(
  port: number,
  { line, greeting }: { readonly line: string; readonly greeting: number },
): Promise<LineClient> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);
  const buffer = new Uint8Array(READ_BYTES);
  const readLines = async (): Promise<number> => {
    const read = await within("a line", connection.read(buffer));
    if (read === null) throw new Error("the server closed a connection");
    let lines = 0;
    for (let at = buffer.indexOf(LF); at >= 0 && at < read; at = buffer.indexOf(LF, at + 1)) {
      lines++;
    }
    return lines;
  };
  const write = async (times: number): Promise<void> => {
    let bytes = new TextEncoder().encode(`${line}\n`.repeat(times));
    while (bytes.length > 0) bytes = bytes.subarray(await connection.write(bytes));
  };
  for (let greeted = 0; greeted < greeting;) greeted += await readLines();
  return {
    async keepInFlight(depth, until) {
      let answered = 0;
      let inFlight = depth;
      await write(depth);
      while (inFlight > 0) {
        const answers = await readLines();
        answered += answers;
        if (performance.now() < until) await write(answers);
        else inFlight -= answers;
      }
      return answered;
    },
    close: () => connection.close(),
  };
}
