/** The {@linkcode Terminal} of this process. */

import { debuggerShutter } from "./debugger_shutter.ts";
import { OutputClosed, type Terminal } from "./terminal.ts";

/** Longest line of input, in characters; the rest of a longer one is a line of its own. */
const MAX_LINE_CHARS = 1_000_000;

/** The streams, signals and clock of the process that runs. Standard input is read only when asked. */
export function processTerminal(): Terminal {
  const encoder = new TextEncoder();
  const input = inputReader();
  return {
    env: Deno.env.toObject(),
    platform: Deno.build.os,
    tty: {
      input: Deno.stdin.isTerminal(),
      output: Deno.stdout.isTerminal(),
      errors: Deno.stderr.isTerminal(),
    },
    out(text) {
      try {
        writeAll(Deno.stdout, encoder.encode(text));
      } catch (error) {
        if (error instanceof Deno.errors.BrokenPipe) throw new OutputClosed();
        throw error;
      }
    },
    err(text) {
      try {
        writeAll(Deno.stderr, encoder.encode(text));
      } catch {
        // Nobody is left to be told.
      }
    },
    readLine: input.readLine,
    readAll: input.readAll,
    onSignal(listener) {
      // Windows knows SIGINT alone.
      const signals = Deno.build.os === "windows"
        ? ["SIGINT"] as const
        : ["SIGINT", "SIGTERM"] as const;
      const handlers = signals.map((signal) => ({ signal, handler: () => listener(signal) }));
      for (const { signal, handler } of handlers) Deno.addSignalListener(signal, handler);
      return () => {
        for (const { signal, handler } of handlers) Deno.removeSignalListener(signal, handler);
      };
    },
    onRestart(listener) {
      if (Deno.build.os === "windows") return () => {};
      const shut = debuggerShutter();
      const restart = (): void => listener("SIGUSR2");
      const restartShut = (): void => {
        shut();
        listener("SIGUSR1");
      };
      Deno.addSignalListener("SIGUSR2", restart);
      Deno.addSignalListener("SIGUSR1", restartShut);
      return () => {
        Deno.removeSignalListener("SIGUSR2", restart);
        Deno.removeSignalListener("SIGUSR1", restartShut);
      };
    },
    now: () => Date.now(),
    after(delayMs, task) {
      const timer = setTimeout(task, delayMs);
      return () => clearTimeout(timer);
    },
  };
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += stream.writeSync(bytes.subarray(at));
    } catch (error) {
      // A pipe that its other end set to non-blocking is full: its reader will go on.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function inputReader(): Pick<Terminal, "readLine" | "readAll"> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const decoder = new TextDecoder();
  let buffered = "";
  let ended = false;
  const more = async () => {
    reader ??= Deno.stdin.readable.getReader();
    const { done, value } = await reader.read();
    ended = done;
    buffered += done ? decoder.decode() : decoder.decode(value, { stream: true });
  };
  return {
    async readLine() {
      for (;;) {
        const end = buffered.indexOf("\n");
        if (end !== -1 || buffered.length >= MAX_LINE_CHARS) {
          const cut = end === -1 ? MAX_LINE_CHARS : end;
          const line = buffered.slice(0, cut);
          buffered = buffered.slice(end === -1 ? cut : cut + 1);
          return line.replace(/\r$/, "");
        }
        if (ended) {
          const line = buffered;
          buffered = "";
          return line === "" ? undefined : line;
        }
        await more();
      }
    },
    async readAll(maxBytes) {
      reader ??= Deno.stdin.readable.getReader();
      let bytes = 0;
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return buffered + decoder.decode();
        bytes += value.length;
        if (bytes > maxBytes) {
          throw new RangeError(`standard input has more than ${maxBytes} bytes`);
        }
        buffered += decoder.decode(value, { stream: true });
      }
    },
  };
}
