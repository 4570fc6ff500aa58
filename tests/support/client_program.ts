/** Foreign programs as clients of a gateway. */

import { within } from "./deadline.ts";

/**
 * Runs a client until what it printed is enough, then ends it. Its `lines` are typed once it has shown the
 * greeting of the chat channel.
 */
export async function runClient(
  program: string,
  args: readonly string[],
  { until, lines = [] }: {
    readonly until: (out: string) => boolean;
    readonly lines?: readonly string[];
  },
): Promise<string> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const drained = child.stderr.pipeTo(new WritableStream());
  let out = "";
  let typed = 0;
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      out += text;
      if (out.includes("Connected to WebSocket chat server")) {
        for (; typed < lines.length; typed++) {
          await writer.write(new TextEncoder().encode(`${lines[typed]}\n`));
        }
      }
      if (until(out)) break;
    }
  })();
  await within(reading, `${program} to be answered`, 60_000);
  await writer.close().catch(() => {});
  try {
    child.kill("SIGTERM");
  } catch {
    // It has ended.
  }
  await child.status;
  await drained;
  return out;
}
