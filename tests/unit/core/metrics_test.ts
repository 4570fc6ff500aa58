import assert from "node:assert/strict";
import { DURATION_BUCKETS_S, MAX_SERIES, Metrics } from "../../../src/core/metrics.ts";

/** The rendered lines of metrics that `fill` registers and counts. */
function rendered(fill: (metrics: Metrics) => void): readonly string[] {
  const metrics = new Metrics();
  fill(metrics);
  const text = metrics.render();
  assert.ok(text.endsWith("\n"));
  return text.slice(0, -1).split("\n");
}

interface Row {
  readonly name: string;
  readonly fill: (metrics: Metrics) => void;
  readonly lines: readonly string[];
}

const ROWS: readonly Row[] = [
  { name: "no metric at all", fill: () => {}, lines: [""] },
  {
    name: "a counter without labels, from zero on",
    fill: (metrics) => void metrics.counter("a_total", "What a is."),
    lines: ["# HELP a_total What a is.", "# TYPE a_total counter", "a_total 0"],
  },
  {
    name: "a counter's sum",
    fill: (metrics) => {
      const counter = metrics.counter("a_total", "A.");
      counter.add();
      counter.add(undefined, 2.5);
    },
    lines: ["# HELP a_total A.", "# TYPE a_total counter", "a_total 3.5"],
  },
  {
    name: "a counter without labels, given one, as one series",
    fill: (metrics) => metrics.counter("a_total", "A.").add("surplus"),
    lines: ["# HELP a_total A.", "# TYPE a_total counter", "a_total 1"],
  },
  {
    name: "a series for each label value, in the order of their first use",
    fill: (metrics) => {
      const counter = metrics.counter("calls_total", "Calls.", "method");
      for (const label of ["health", "chat.send", "health"]) counter.add(label);
    },
    lines: [
      "# HELP calls_total Calls.",
      "# TYPE calls_total counter",
      'calls_total{method="health"} 2',
      'calls_total{method="chat.send"} 1',
    ],
  },
  {
    name: "a labelled counter that counted nothing without series",
    fill: (metrics) => void metrics.counter("calls_total", "Calls.", "method"),
    lines: ["# HELP calls_total Calls.", "# TYPE calls_total counter"],
  },
  {
    name: "a label value with backslash, quote and line end escaped",
    fill: (metrics) => metrics.counter("a_total", "A.", "l").add('\\n"x"\nb\\'),
    lines: [
      "# HELP a_total A.",
      "# TYPE a_total counter",
      'a_total{l="\\\\n\\"x\\"\\nb\\\\"} 1',
    ],
  },
  {
    name: "a gauge as it is at the time",
    fill: (metrics) => metrics.gauge("open", "Open ones.", () => 7),
    lines: ["# HELP open Open ones.", "# TYPE open gauge", "open 7"],
  },
  {
    name: "metrics in the order of their registration",
    fill: (metrics) => {
      metrics.gauge("b", "B.", () => 1);
      metrics.counter("a", "A.");
    },
    lines: ["# HELP b B.", "# TYPE b gauge", "b 1", "# HELP a A.", "# TYPE a counter", "a 0"],
  },
  {
    name: "a histogram's buckets, each with all that is at most its bound, sum and count",
    fill: (metrics) => {
      const histogram = metrics.histogram("took_seconds", "Time.", "method");
      for (const seconds of [0.0001, 0.5, 0.5, 32]) histogram.observe("x", seconds);
    },
    lines: [
      "# HELP took_seconds Time.",
      "# TYPE took_seconds histogram",
      'took_seconds_bucket{method="x",le="0.0001"} 1',
      'took_seconds_bucket{method="x",le="0.001"} 1',
      'took_seconds_bucket{method="x",le="0.01"} 1',
      'took_seconds_bucket{method="x",le="0.1"} 1',
      'took_seconds_bucket{method="x",le="1"} 3',
      'took_seconds_bucket{method="x",le="10"} 3',
      'took_seconds_bucket{method="x",le="+Inf"} 4',
      'took_seconds_sum{method="x"} 33.0001',
      'took_seconds_count{method="x"} 4',
    ],
  },
];

for (const { name, fill, lines } of ROWS) {
  Deno.test(`the text shows ${name}`, () => assert.deepEqual(rendered(fill), lines));
}

Deno.test("a gauge is read anew at each rendering", () => {
  const metrics = new Metrics();
  let value = 0;
  metrics.gauge("g", "G.", () => value++);
  assert.match(metrics.render(), /^g 0$/m);
  assert.match(metrics.render(), /^g 1$/m);
});

Deno.test("label values beyond the bound are counted together as other; known ones go on", () => {
  const lines = rendered((metrics) => {
    const counter = metrics.counter("c", "C.", "l");
    const histogram = metrics.histogram("h", "H.", "l");
    for (let n = 0; n < MAX_SERIES + 10; n++) {
      counter.add(`label-${n}`);
      histogram.observe(`label-${n}`, 1);
    }
    counter.add("label-0");
  });
  const counters = lines.filter((line) => line.startsWith("c{"));
  assert.equal(counters.length, MAX_SERIES + 1);
  assert.equal(counters[0], 'c{l="label-0"} 2');
  assert.equal(counters.at(-1), 'c{l="other"} 10');
  const histograms = lines.filter((line) => line.startsWith("h_count"));
  assert.equal(histograms.length, MAX_SERIES + 1);
  assert.equal(histograms.at(-1), 'h_count{l="other"} 10');
});

Deno.test("the buckets rise, from a tenth of a millisecond to ten seconds", () => {
  assert.deepEqual([...DURATION_BUCKETS_S].sort((a, b) => a - b), [...DURATION_BUCKETS_S]);
  assert.deepEqual([DURATION_BUCKETS_S[0], DURATION_BUCKETS_S.at(-1)], [0.0001, 10]);
});
