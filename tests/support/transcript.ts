/**
 * Plays transcripts: stories of clients and a gateway, one line for each thing that happens.
 *
 * ```text
 * # a comment; the first one is the name of the story
 * a> 1 chat.send {sessionKey: "main", message: "hi", idempotencyKey: "k1"}    a request
 * a> {"type": "req", "id": "1", "method": "health"}                           the same, written out
 * a>> not json                                                                a message as it is
 * a< 1 ok {runId: "k1", status: "started"}                                    an answer
 * a< 1 error INVALID_REQUEST "message or attachment required"                 a refusal
 * a< event chat {state: "delta", ...}                                         an event
 * a< close 1008 "slow consumer"                                               the end of a connection
 * ! advance 150                                                               a directive
 * ```
 *
 * A line that begins with two spaces goes on with the one before. Values are those of
 * `transcript_pattern.ts`. Every frame must be read, in its order, before the next directive and before
 * the story ends; a directive `! mute tick` leaves events out. Besides what a line says, every frame is
 * checked against the document: its members, its number in the sequence, the shape of its answer.
 */

import type { Dialect } from "./transcript_dialect.ts";
import { OPENCLAW } from "./transcript_frame.ts";
import { Story } from "./transcript_story.ts";

/** One line of a story. */
interface Line {
  readonly number: number;
  readonly text: string;
}

/** A story, read. */
export interface Transcript {
  readonly name: string;
  readonly file: string;
  readonly lines: readonly Line[];
}

/** A story that went another way. The message names file and line and shows both sides. */
export class TranscriptFailure extends Error {
  override readonly name = "TranscriptFailure";
}

/** Reads a story. Throws where it has no name or expects nothing. */
export function readTranscript(text: string, file: string): Transcript {
  const lines: { number: number; text: string }[] = [];
  let name = "";
  text.split("\n").forEach((raw, index) => {
    const line = raw.trimEnd();
    if (line.startsWith("#")) {
      if (name === "") name = line.slice(1).trim();
      return;
    }
    if (line === "") return;
    const last = lines.at(-1);
    if (line.startsWith("  ") && last !== undefined) last.text += ` ${line.trim()}`;
    else lines.push({ number: index + 1, text: line });
  });
  if (name === "") throw new TranscriptFailure(`${file}: the first comment names the story`);
  if (!lines.some(({ text }) => /^\w+< /.test(text))) {
    throw new TranscriptFailure(`${file}: a story that expects nothing proves nothing`);
  }
  return { name, file, lines };
}

/** Plays a story to its end; throws a {@linkcode TranscriptFailure} at the first line that does not hold. */
export async function playTranscript(
  transcript: Transcript,
  dialect: Dialect = OPENCLAW,
): Promise<void> {
  const story = new Story(dialect);
  for (const line of transcript.lines) {
    try {
      await story.play(line.text);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new TranscriptFailure(
        `${transcript.file}:${line.number} "${transcript.name}"\n  ${line.text}\n${indent(why)}`,
      );
    }
  }
  const left = await story.unread();
  if (left.length === 0) return;
  throw new TranscriptFailure(
    `${transcript.file}: the story ends, but the gateway sent more:\n${left.join("\n")}`,
  );
}

function indent(text: string): string {
  return text.split("\n").map((line) => `    ${line}`).join("\n");
}
