/** Clients that are written to by `bare_write_server.ts`: what the system itself takes for an event to each of many. */

import { within } from "./deadline.ts";
import { SAMPLE_EVENT } from "./sample_frames.ts";

/** Bytes of one event: as many as the sample has on the wire. */
export const BARE_EVENT_BYTES: number = SAMPLE_EVENT.length + 4;

/** Connections that all get every event. */
export interface BareListeners extends Disposable {
  /** Causes events, each once the one before has reached everybody; resolves with the deliveries. */
  deliver(events: number): Promise<number>;
}

/** Opens `count` connections to the server at `url`. */
export async function openBareListeners(url: string, count: number): Promise<BareListeners> {
  const port = Number(new URL(url).port);
  const connections: Deno.TcpConn[] = [];
  for (let at = 0; at < count; at++) {
    connections.push(await Deno.connect({ hostname: "127.0.0.1", port }));
  }
  const buffer = new Uint8Array(BARE_EVENT_BYTES);
  const take = async (connection: Deno.TcpConn): Promise<void> => {
    for (let bytes = 0; bytes < BARE_EVENT_BYTES;) {
      const read = await connection.read(buffer.subarray(bytes));
      if (read === null) throw new Error("the server closed a connection");
      bytes += read;
    }
  };
  await within("all to be accepted", Promise.all(connections.map(take)));
  return {
    async deliver(events) {
      const [first] = connections;
      for (let event = 0; event < events; event++) {
        await first?.write(new Uint8Array(1));
        await within("an event to reach everybody", Promise.all(connections.map(take)));
      }
      return events * count;
    },
    [Symbol.dispose]() {
      for (const connection of connections) connection.close();
    },
  };
}
