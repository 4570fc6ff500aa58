/**
 * Shuts the debugger that the runtime opens at `SIGUSR1`, whoever listens to that signal as well: on a port of loopback,
 * to every user of the machine, who could then do what this process may. A program that lies in wait for the port can
 * still be faster for a moment: nothing keeps the runtime from opening it.
 */

/** How often to look for it after the signal, in milliseconds: it opens some turns of the event loop later. */
const LOOK_EVERY_MS = 2;

/** How long to look, in milliseconds; where its port is taken it never opens. */
const LOOK_FOR_MS = 2_000;

/** What to call at each signal. A debugger that was open before the first one is wanted, and stays. */
export function debuggerShutter(): () => void {
  const loaded = import("node:inspector").then((inspector) => ({
    inspector,
    wanted: inspector.url() !== undefined,
  }));
  let until = 0;
  let looking: ReturnType<typeof setInterval> | undefined;
  const look = async (): Promise<void> => {
    const { inspector, wanted } = await loaded;
    if (wanted || looking !== undefined) return;
    looking = setInterval(() => {
      if (inspector.url() !== undefined) inspector.close();
      if (performance.now() < until) return;
      clearInterval(looking);
      looking = undefined;
    }, LOOK_EVERY_MS);
    Deno.unrefTimer(looking);
  };
  return () => {
    until = performance.now() + LOOK_FOR_MS;
    void look();
  };
}
