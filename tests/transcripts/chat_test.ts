/**
 * Plays the stories of the chat channel: what clients `a`, `b`, … say and hear, line by line. A line is
 * `a+ {url parameters}` (connects), `a> {frame}` or `a> text` (says), `a< {frame}` (hears next; `…` ends a
 * text that goes on), `a! code reason` (was closed), `a-` (leaves), `model: words` (a part), `model.` (ends),
 * `identity {answer}` or `advance ms`. Whatever was heard and is not in the story fails it.
 */

import assert from "node:assert/strict";
import { type ChatStage, setChatStage } from "../support/chat_stage.ts";
import { quiet, type StageLink } from "../support/gateway_stage.ts";

const FOLDER = new URL("./chat/", import.meta.url);

for (const { name } of [...Deno.readDirSync(FOLDER)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  const lines = Deno.readTextFileSync(new URL(name, FOLDER)).split("\n");
  const title = lines[0]?.replace(/^# /, "") ?? name;
  Deno.test(`chat: ${title}`, async () => {
    const auth = lines.find((line) => line.startsWith("auth "))?.slice(5);
    const stage = setChatStage(auth === undefined ? {} : JSON.parse(auth));
    const links = new Map<string, StageLink>();
    for (const [at, line] of lines.entries()) {
      if (line === "" || line.startsWith("#") || line.startsWith("auth ")) continue;
      const where = `${name}:${at + 1}: ${line}`;
      await play(line, { stage, links, where });
      await quiet();
    }
    for (const [who, { inbox }] of links) assert.deepEqual(inbox, [], `${who} heard more`);
  });
}

async function play(
  line: string,
  { stage, links, where }: {
    readonly stage: ChatStage;
    readonly links: Map<string, StageLink>;
    readonly where: string;
  },
): Promise<void> {
  const [, who = "", what = "", rest = ""] = /^(\w)([-+><!])\s?(.*)$/.exec(line) ?? [];
  if (who !== "") {
    if (what === "+") {
      links.set(who, stage.open(rest === "" ? {} : JSON.parse(rest)));
      return;
    }
    const link = links.get(who);
    assert.ok(link, where);
    if (what === ">") link.receive(rest);
    else if (what === "-") link.drop();
    else if (what === "!") {
      const { code, reason } = link.closedWith ?? { code: 0, reason: "not closed" };
      assert.equal(`${code} ${reason}`.trim(), rest, where);
    } else hears(link.inbox.shift(), { wanted: JSON.parse(rest), where });
    return;
  }
  if (line === "model.") stage.model.call().end();
  else if (line.startsWith("model: ")) {
    stage.model.call().text(line.slice(7).replaceAll("\\n", "\n"));
  } else if (line.startsWith("advance ")) await stage.clock.advance(Number(line.slice(8)));
  else if (line.startsWith("identity ")) stage.questions.at(-1)?.answer(JSON.parse(line.slice(9)));
  else throw new Error(`what is this: ${where}`);
}

/** Every member of the frame, no more and no less; `*` stands for an id that was made up. */
function hears(
  text: string | undefined,
  { wanted, where }: { readonly wanted: Record<string, unknown>; readonly where: string },
): void {
  assert.ok(text !== undefined, `nothing was heard: ${where}`);
  const heard = JSON.parse(text);
  const shown = wanted.messageId === "*" && typeof heard.messageId === "string"
    ? { ...heard, messageId: "*" }
    : heard;
  assert.deepEqual(shown, wanted, where);
}
