/** What a transcript makes of its model: `! model text "Hel" "lo"`. */

import { ModelError, type ModelUsage } from "../../src/ports/model.ts";
import { quiet } from "./gateway_stage.ts";
import type { ScriptedModel } from "./scripted_model.ts";
import { build, differences, isRecord, readPattern, type Scope } from "./transcript_pattern.ts";

/**
 * Does one directive: `1 text "Hel" "lo"`, `reasoning "hm"`, `end {input: 1}`, `fail "why"`, `crash "why"`, `break`,
 * `given`, `asked {…}`, `idle 2`. A number says which of the model's calls it is; without one it is the last.
 */
export async function directModel(
  model: ScriptedModel,
  directive: string,
  story: {
    readonly scope: Scope;
    /** Waits until `look` holds; fails where `what` does not come. */
    readonly until: (look: () => boolean, what: string) => Promise<void>;
  },
): Promise<void> {
  const [, which, verb = "", given = ""] = /^(?:(\d+) )?(\w+) ?(.*)$/s.exec(directive) ?? [];
  if (verb === "idle") {
    await quiet();
    if (model.calls.length === Number(given)) return;
    throw new Error(`the model was asked ${model.calls.length} times`);
  }
  const at = which === undefined ? undefined : Number(which) - 1;
  const waits = () => at === undefined ? model.calls.length > 0 : model.calls[at] !== undefined;
  await story.until(waits, "a question for the model");
  const call = model.call(at);
  switch (verb) {
    case "text":
      for (const text of values(given, story.scope)) call.text(String(text));
      return;
    case "reasoning":
      for (const text of values(given, story.scope)) call.reasoning(String(text));
      return;
    case "end": {
      const [usage] = values(given, story.scope);
      call.end(isRecord(usage) ? usageOf(usage) : undefined);
      return;
    }
    case "fail":
      for (const text of values(given, story.scope)) call.fail(new ModelError(String(text)));
      return;
    case "crash":
      for (const text of values(given, story.scope)) call.fail(new TypeError(String(text)));
      return;
    case "break":
      call.breakOff();
      return;
    case "given":
      await story.until(() => call.returned, "the gateway to stop reading");
      return;
    case "asked": {
      const problems = differences(readPattern(given).pattern, call.request, {
        scope: story.scope,
      });
      if (problems.length === 0) return;
      throw new Error(`${problems.join("\n")}\nasked: ${JSON.stringify(call.request)}`);
    }
    default:
      throw new SyntaxError(`a model does not ${verb}`);
  }
}

/** The values of a list that is separated by blanks. */
function values(text: string, scope: Scope): unknown[] {
  const found: unknown[] = [];
  for (let left = text.trim(); left !== "";) {
    const { pattern, rest } = readPattern(left);
    found.push(build(pattern, scope));
    left = rest;
  }
  return found;
}

function usageOf(usage: Readonly<Record<string, unknown>>): ModelUsage {
  const { input = 0, output = 0 } = usage;
  const tokens = { input: Number(input), output: Number(output), cacheRead: 0, cacheWrite: 0 };
  return { ...tokens, total: tokens.input + tokens.output };
}
