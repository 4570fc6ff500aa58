import assert from "node:assert/strict";
import { CONTROL } from "../support/control_dialect.ts";
import { playTranscript, readTranscript } from "../support/transcript.ts";

const FOLDER = new URL("control/", import.meta.url);

const files = [...Deno.readDirSync(FOLDER)]
  .map(({ name }) => name)
  .filter((name) => name.endsWith(".txt"))
  .sort();

Deno.test("there are stories of the control channel to play", () => {
  assert.ok(files.length >= 6, `only ${files.length} stories`);
});

for (const file of files) {
  const transcript = readTranscript(Deno.readTextFileSync(new URL(file, FOLDER)), file);
  Deno.test(`control transcript: ${transcript.name}`, async () => {
    await playTranscript(transcript, CONTROL);
  });
}
