/** Counters, gauges and histograms, rendered in the Prometheus text format (version 0.0.4). */

/** Label values of one metric; one past this bound is counted under `other`. */
export const MAX_SERIES = 512;

/** Upper bounds of the duration buckets, in seconds. */
export const DURATION_BUCKETS_S = [0.0001, 0.001, 0.01, 0.1, 1, 10] as const;

/** A number that only grows. */
export interface Counter {
  /** Adds `by` (default 1) to the series of this label value. */
  add(label?: string, by?: number): void;
}

/** A distribution of durations in seconds. */
export interface Histogram {
  observe(label: string, seconds: number): void;
}

/** All metrics of one gateway. */
export class Metrics {
  readonly #renderers: (() => string[])[] = [];

  /** A counter; `labelName` absent: one series without labels. */
  counter(name: string, help: string, labelName?: string): Counter {
    const series = new Map<string, { value: number }>();
    if (labelName === undefined) series.set("", { value: 0 });
    this.#renderers.push(() => [
      ...head(name, help, "counter"),
      ...[...series].map(([label, { value }]) => `${name}${labels(labelName, label)} ${value}`),
    ]);
    return {
      add(label = "", by = 1): void {
        const known = series.get(label);
        if (known !== undefined) {
          known.value += by;
          return;
        }
        const key = labelName === undefined ? "" : bounded(series, label);
        const entry = series.get(key);
        if (entry === undefined) series.set(key, { value: by });
        else entry.value += by;
      },
    };
  }

  /** A value read when the metrics are rendered. */
  gauge(name: string, help: string, read: () => number): void {
    this.#renderers.push(() => [...head(name, help, "gauge"), `${name} ${read()}`]);
  }

  /** A histogram of durations over {@linkcode DURATION_BUCKETS_S}. */
  histogram(name: string, help: string, labelName: string): Histogram {
    const series = new Map<string, { readonly counts: number[]; sum: number; count: number }>();
    this.#renderers.push(() => [
      ...head(name, help, "histogram"),
      ...[...series].flatMap(([label, { counts, sum, count }]) => {
        const own = `${labelName}="${escapeLabel(label)}"`;
        const buckets = DURATION_BUCKETS_S.map((bound, at) =>
          `${name}_bucket{${own},le="${bound}"} ${counts[at] ?? 0}`
        );
        return [
          ...buckets,
          `${name}_bucket{${own},le="+Inf"} ${count}`,
          `${name}_sum{${own}} ${sum}`,
          `${name}_count{${own}} ${count}`,
        ];
      }),
    ]);
    return {
      observe(label, seconds): void {
        const key = bounded(series, label);
        let entry = series.get(key);
        if (entry === undefined) {
          entry = { counts: DURATION_BUCKETS_S.map(() => 0), sum: 0, count: 0 };
          series.set(key, entry);
        }
        entry.sum += seconds;
        entry.count++;
        DURATION_BUCKETS_S.forEach((bound, at) => {
          if (entry !== undefined && seconds <= bound) {
            entry.counts[at] = (entry.counts[at] ?? 0) + 1;
          }
        });
      },
    };
  }

  /** The text that a Prometheus server scrapes. */
  render(): string {
    return this.#renderers.flatMap((render) => render()).join("\n") + "\n";
  }
}

function head(name: string, help: string, type: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function labels(name: string | undefined, value: string): string {
  return name === undefined ? "" : `{${name}="${escapeLabel(value)}"}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function bounded(series: ReadonlyMap<string, unknown>, label: string): string {
  return series.has(label) || series.size < MAX_SERIES ? label : "other";
}
