/** How much a piece of work costs, inside this process or in a server's. */

import { type ServerProcess, settle } from "./server_process.ts";

/** Time that one batch of operations should take, in milliseconds: long against the clock's grain. */
const BATCH_MS = 10;

/** Takes the outcome of every operation: a store that outlives the loop, so that no compiler leaves it out. */
const sink: { last: unknown } = { last: undefined };

/**
 * Nanoseconds that one `operation` takes, once for each of `rounds` batches, after a warm-up of as
 * many batches. Operations are not awaited.
 */
export function nanosPerOperation(operation: () => unknown, rounds: number): readonly number[] {
  let size = 1;
  while (batchMs(operation, size) < BATCH_MS) size *= 2;
  for (let round = 0; round < rounds; round++) batchMs(operation, size);
  return Array.from({ length: rounds }, () => batchMs(operation, size) * 1e6 / size);
}

/** As {@linkcode nanosPerOperation}, for tasks that are awaited and do `size` operations each. */
export async function nanosPerTask(
  task: () => Promise<unknown>,
  { rounds, size }: { readonly rounds: number; readonly size: number },
): Promise<readonly number[]> {
  const values: number[] = [];
  for (let round = -rounds; round < rounds; round++) {
    const started = performance.now();
    let done = 0;
    while (performance.now() - started < BATCH_MS) {
      sink.last = await task();
      done += size;
    }
    if (round >= 0) values.push((performance.now() - started) * 1e6 / done);
  }
  return values;
}

function batchMs(operation: () => unknown, size: number): number {
  const started = performance.now();
  for (let done = 0; done < size; done++) sink.last = operation();
  return performance.now() - started;
}

/** What a server spent on some work. */
export interface Spending {
  /** Units of work done. */
  readonly count: number;
  /** Processor time for each, in microseconds. */
  readonly cpuMicrosEach: number;
  /** Units a second, by the clock. */
  readonly perSecond: number;
}

/** Does some work and reads what the server spent on it. `work` resolves with the units done. */
export async function spendingOf(
  server: ServerProcess,
  work: () => Promise<number>,
): Promise<Spending> {
  await settle();
  const cpu = server.cpu();
  const started = performance.now();
  const count = await work();
  const seconds = (performance.now() - started) / 1_000;
  return { count, cpuMicrosEach: (server.cpu() - cpu) / count, perSecond: count / seconds };
}

/** Rounds of the gateway and of its baseline in turn, so that a busy machine disturbs both alike. */
export async function inTurn(
  rounds: number,
  { gateway, baseline }: {
    readonly gateway: () => Promise<Spending>;
    readonly baseline: () => Promise<Spending>;
  },
): Promise<{ readonly gateway: readonly Spending[]; readonly baseline: readonly Spending[] }> {
  const ours: Spending[] = [];
  const bare: Spending[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await gateway());
    bare.push(await baseline());
  }
  return { gateway: ours, baseline: bare };
}
