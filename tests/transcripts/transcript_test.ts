import assert from "node:assert/strict";
import { playTranscript, readTranscript, TranscriptFailure } from "../support/transcript.ts";

function story(...lines: readonly string[]): string {
  return ["# a story", "! mute presence health", "! join a", ...lines].join("\n");
}

async function play(text: string): Promise<void> {
  await playTranscript(readTranscript(text, "story.txt"));
}

Deno.test("a story that holds plays to its end", async () => {
  await play(story(
    "a> 1 agents.list",
    "a< 1 ok {defaultId: $agent, ...}",
    "a> 2 agents.list {}",
    [
      'a< {"type": "res", "id": "2", "ok": true, "payload": {"defaultId": $agent,',
      '  "mainKey": ~"ma*", "scope": *, "agents": [...]}}',
    ].join("\n"),
  ));
});

const BROKEN: readonly { what: string; lines: readonly string[]; message: RegExp }[] = [
  {
    what: "another value",
    lines: ["a> 1 agents.list", 'a< 1 ok {defaultId: "x", ...}'],
    message: /story\.txt:5 [\s\S]*at payload\.defaultId: expected "x", got "main"/,
  },
  {
    what: "a member too many",
    lines: ["a> 1 agents.list", 'a< 1 ok {defaultId: "main"}'],
    message: /at payload\.mainKey: unexpected "main"/,
  },
  {
    what: "an element too many",
    lines: ["a> 1 models.list", "a< 1 ok {models: []}"],
    message: /at payload\.models: \d elements too many/,
  },
  {
    what: "a member that is not there",
    lines: ["a> 1 agents.list", "a< 1 ok {nothing: *, ...}"],
    message: /at payload\.nothing: expected "something", got undefined/,
  },
  {
    what: "an error in place of an answer",
    lines: ["a> 1 no.such", "a< 1 ok *"],
    message: /at ok: expected true, got false/,
  },
  {
    what: "a frame that nobody read at the end",
    lines: ["a> 1 agents.list", "a< 1 ok *", "a> 2 agents.list"],
    message: /the story ends, but the gateway sent more:\n {2}a< {"type":"res","id":"2"/,
  },
  {
    what: "a frame that nobody read before a directive",
    lines: ["a> 1 agents.list", "! advance 1", "a< 1 ok *"],
    message: /story\.txt:5 [\s\S]*the gateway sent what nobody read:\n {6}a< /,
  },
  {
    what: "a close that nobody read",
    lines: ["! open b", "b< event connect.challenge *", "b>> noise"],
    message: /b< close 1000 ""/,
  },
  {
    what: "another close",
    lines: ["! open b", "b< event connect.challenge *", "b>> noise", 'b< close 1008 "x"'],
    message: /at code: expected 1008, got 1000/,
  },
  {
    what: "a frame where the connection ended",
    lines: ["! open b", "b< event connect.challenge *", "b>> noise", "b< 1 ok *"],
    message: /no frame came, but a close 1000/,
  },
  {
    what: "a capture that changes its value",
    lines: ["a> 1 agents.list", "a< 1 ok {defaultId: $x, mainKey: *, scope: $x, agents: *}"],
    message: /at payload\.scope: expected "main", got "per-sender"/,
  },
  {
    what: "a time that is another one",
    lines: ["a> 1 sessions.list", "a< 1 ok {ts: @1, ...}"],
    message: /at payload\.ts: expected 1750000000001, got 1750000000000/,
  },
  { what: "a line of no kind", lines: ["hello", "a< 1 ok *"], message: /no line of a transcript/ },
  { what: "an unknown directive", lines: ["! jump", "a< 1 ok *"], message: /no directive/ },
];

for (const { what, lines, message } of BROKEN) {
  Deno.test(`a story fails with its line: ${what}`, async () => {
    await assert.rejects(play(story(...lines)), (error) => {
      assert.ok(error instanceof TranscriptFailure, String(error));
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("a story without a name or without an expectation is none", () => {
  assert.throws(() => readTranscript("! join a\na< 1 ok *", "x.txt"), /names the story/);
  assert.throws(() => readTranscript("# empty\n! join a", "x.txt"), /expects nothing/);
});
