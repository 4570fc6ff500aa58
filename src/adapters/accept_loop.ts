/** Accepts connections until a listener is closed, whatever becomes of single ones. */

/** Pause after the system could not hand out a connection, e.g. for want of file descriptors, in milliseconds. */
const ACCEPT_PAUSE_MS = 100;

/** Gives each connection of `server` to `accept`; resolves when `closed` says so. Never rejects. */
export async function acceptAll<Stream extends Deno.Conn>(
  server: { accept(): Promise<Stream> },
  { accept, closed, failed }: {
    readonly accept: (stream: Stream) => void;
    readonly closed: () => boolean;
    readonly failed?: (error: unknown) => void;
  },
): Promise<void> {
  while (!closed()) {
    try {
      accept(await server.accept());
    } catch (error) {
      if (closed()) return;
      // Who left before it was its turn is nobody's matter; a pause would let its like fill the queue.
      if (isDeparture(error)) continue;
      failed?.(error);
      await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
    }
  }
}

/** Whether a connection ended before it was accepted. */
function isDeparture(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.ConnectionReset;
}
