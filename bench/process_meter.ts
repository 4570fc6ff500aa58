/** What a process has used of the machine, from `/proc`; benchmarks therefore need Linux. */

/** Clock ticks a second in `/proc`: a constant of the kernel's interface to programs. */
const TICKS_PER_SECOND = 100;

/** Processor time of all threads so far, in microseconds; exact to ten milliseconds. */
export function cpuMicros(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name in parentheses may hold anything; user and system time are 12th and 13th behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isFinite(ticks)) throw new Error(`/proc/${pid}/stat has no processor times: ${stat}`);
  return ticks / TICKS_PER_SECOND * 1_000_000;
}

/** Resident memory now, in bytes. */
export function residentBytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`/proc/${pid}/status names no resident memory`);
  return Number(kibibytes) * 1_024;
}
