import assert from "node:assert/strict";
import { GatewayError } from "../../../src/core/error.ts";
import {
  catchUp,
  ending,
  failing,
  machineOf,
  type Step,
  type WireTypes,
} from "../../../src/core/machine.ts";

/** A wire that adds up the numbers it is sent. */
interface SumTypes extends WireTypes {
  readonly State: number;
  readonly Frame: number;
  readonly Out: string;
  readonly Call: string;
  readonly Value: number;
  readonly Topic: never;
  readonly Event: number;
}

const add = (state: number, frame: number): Step<SumTypes> => [
  state + frame,
  [{ type: "send", frame: `${frame}` }],
];
const say = (error: GatewayError) => ({ type: "send", frame: error.message }) as const;

Deno.test("each kind of input has its reaction; a timer that none is for changes nothing", () => {
  const reactions = {
    open: (): Step<SumTypes> => [1, []],
    frame: add,
    result: (state: number): Step<SumTypes> => [state * 10, []],
    event: (state: number, event: number): Step<SumTypes> => [state - event, []],
  };
  const machine = machineOf<SumTypes>(reactions);
  assert.deepEqual(machine.open(), [1, []]);
  assert.deepEqual(machine.step(1, { type: "frame", frame: 2 })[0], 3);
  const outcome = { ok: true, value: 0 } as const;
  assert.equal(machine.step(3, { type: "result", call: "c", outcome, last: true })[0], 30);
  assert.equal(machine.step(3, { type: "event", event: 2 })[0], 1);
  assert.deepEqual(machine.step(3, { type: "timer", timer: "t" }), [3, []]);
  const timed = machineOf<SumTypes>({ ...reactions, timer: (state) => [-state, []] });
  assert.deepEqual(timed.step(3, { type: "timer", timer: "t" }), [-3, []]);
});

Deno.test("frames that waited are taken in order, behind what they waited for", () => {
  const first: Step<SumTypes> = [10, [{ type: "send", frame: "hello" }]];
  const [state, effects] = catchUp(first, { frames: [1, 2], receive: add });
  assert.equal(state, 13);
  assert.deepEqual(effects.map((effect) => effect.type === "send" && effect.frame), [
    "hello",
    "1",
    "2",
  ]);
});

Deno.test("a failed call is told, then ends the connection where it says so or where it has to", () => {
  const error = new GatewayError("UNAVAILABLE", "no");
  const close = { code: 1008, reason: "go" };
  const told = { type: "send", frame: "no" };
  const closed = { type: "close", ...close };
  assert.deepEqual(failing<SumTypes>({ ok: false, error }, say), [told]);
  assert.deepEqual(failing<SumTypes>({ ok: false, error, close }, say), [told, closed]);
  assert.deepEqual(failing<SumTypes>({ ok: false, close }, say), [closed]);
  assert.deepEqual(ending({ ok: false, error, close }), { ok: false, error, close });
  assert.deepEqual(ending({ ok: false, error }).close, { code: 1011, reason: "internal error" });
});
