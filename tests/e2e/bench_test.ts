import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import * as v from "valibot";

const program = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));

const Report = v.object({
  figures: v.array(v.object({
    group: v.string(),
    name: v.string(),
    unit: v.string(),
    value: v.pipe(v.number(), v.finite(), v.gtValue(0)),
    baseline: v.pipe(v.number(), v.finite(), v.gtValue(0)),
    ratio: v.pipe(v.number(), v.finite(), v.gtValue(0)),
  })),
});

interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function bench(...args: readonly string[]): Promise<Printed> {
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", program, ...args] });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test({
  name: "bench measures handshakes with real processes, beside a baseline",
  // It reads what a process has used from /proc.
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const { code, out, err } = await bench("handshake", "--quick", "--json");
    assert.equal(code, 0, err);
    const { figures } = v.parse(Report, JSON.parse(out));
    assert.deepEqual(figures.map(({ group, name, unit }) => [group, name, unit]), [
      ["handshake", "handshake with a token: server CPU", "µs"],
      ["handshake", "handshakes with a token", "/s"],
      ["handshake", "handshake with a device key: server CPU", "µs"],
      ["handshake", "handshakes with a device key", "/s"],
    ]);
  },
});

Deno.test("bench prints a table that names the figures of a group", async () => {
  const { code, out, err } = await bench("--quick", "--", "frame");
  assert.equal(code, 0, err);
  const [group, headings, ...rows] = out.trimEnd().split("\n");
  assert.equal(group, "frame");
  assert.match(headings ?? "", /figure +median +lowest +unit +baseline +ratio +target +reached/);
  assert.equal(rows.length, 4);
  for (const row of rows) assert.match(row, /^ {2}\S.* +[\d.]+ +[\d.]+ +ns +[\d.]+ +[\d.]+$/);
});

Deno.test("bench refuses a group that there is none of and names those there are", async () => {
  const { code, out, err } = await bench("fanuot");
  assert.equal(code, 2);
  assert.equal(out, "");
  assert.match(err, /no group "fanuot".*frame.*fanout/);
});
