/** What a benchmark measured, beside its baseline and its target. */

/** Units of figures. A `/s` is better when it is high, everything else when it is low. */
export type Unit = "ns" | "µs" | "ms" | "MB" | "KiB" | "/s" | "x";

/** One measured value. */
export interface Figure {
  /** What was measured, for people. */
  readonly name: string;
  readonly unit: Unit;
  /** The median of all rounds. */
  readonly value: number;
  /** The lowest of all rounds, the one that other programs on the machine disturbed least. */
  readonly lowest: number;
  /** The same work by the bare parts that the gateway is made of, measured between its rounds. */
  readonly baseline?: number;
  /** What the value has to stay at or under. */
  readonly target?: number;
}

/** How much may be measured. */
export interface Effort {
  /** Shorter and less exact: does it run, and is it about as fast as before. */
  readonly quick: boolean;
}

/** A group of figures that are measured together. */
export interface Group {
  readonly name: string;
  /** One sentence for `--help`. */
  readonly summary: string;
  /** Measures; gives each figure to `found` as soon as it is known. Leaves nothing running. */
  run(effort: Effort, found: (figure: Figure) => void): Promise<void>;
}

/** The value divided by the baseline: what travels between machines. Undefined without a baseline. */
export function ratioOf({ value, baseline }: Figure): number | undefined {
  return baseline === undefined || baseline === 0 ? undefined : value / baseline;
}

/** Whether the target is reached; undefined without a target. */
export function reachedOf({ value, target }: Figure): boolean | undefined {
  return target === undefined ? undefined : value <= target;
}

/** The middle value; the mean of the two middle ones for an even number. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** Makes a figure of what several rounds gave. */
export function figureOf(
  name: string,
  rounds: {
    readonly unit: Unit;
    readonly values: readonly number[];
    readonly baselines?: readonly number[];
    readonly target?: number;
  },
): Figure {
  const { unit, values, baselines, target } = rounds;
  return {
    name,
    unit,
    value: median(values),
    lowest: Math.min(...values),
    ...(baselines === undefined ? {} : { baseline: median(baselines) }),
    ...(target === undefined ? {} : { target }),
  };
}
