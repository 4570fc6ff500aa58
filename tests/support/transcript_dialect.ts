/** What a story must know of the wire that it is told in. */

import type { GatewayStage, StageLink, StagePeer } from "./gateway_stage.ts";
import { type Pattern, readPattern } from "./transcript_pattern.ts";

/** One wire's way with frames. */
export interface Dialect {
  /** The `type` of a request. */
  readonly request: string;
  /** Connects; a number is the HTTP status of a refusal. */
  open(stage: GatewayStage, peer: StagePeer): Promise<StageLink | number>;
  /** The frame that a line writes in full or in short; throws a SyntaxError. */
  framePattern(text: string): Pattern;
  /** What the document says of every frame. */
  frameProblems(client: Heard, frame: unknown): readonly string[];
}

/** What a client must remember of its connection to judge the next frame. */
export interface Heard {
  /** The method of each request, by id. */
  readonly methods: Map<string, string>;
  /** The number of the newest event. */
  sequence: number;
}

/** One value and nothing behind it. */
export function whole(text: string): Pattern {
  const { pattern, rest } = readPattern(text);
  if (rest !== "") throw new SyntaxError(`more follows the value: ${rest}`);
  return pattern;
}

/** Members that a document does not know. */
export function foreign(
  value: Readonly<Record<string, unknown>>,
  known: readonly string[],
): string[] {
  return Object.keys(value).filter((name) => !known.includes(name)).map((name) =>
    `the document knows no member "${name}" here`
  );
}
