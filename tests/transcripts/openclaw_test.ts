import assert from "node:assert/strict";
import { playTranscript, readTranscript } from "../support/transcript.ts";

const FOLDER = new URL("openclaw/", import.meta.url);

const files = [...Deno.readDirSync(FOLDER)]
  .map(({ name }) => name)
  .filter((name) => name.endsWith(".txt"))
  .sort();

Deno.test("there are stories to play", () => {
  assert.ok(files.length >= 20, `only ${files.length} stories`);
});

for (const file of files) {
  const transcript = readTranscript(Deno.readTextFileSync(new URL(file, FOLDER)), file);
  Deno.test(`openclaw transcript: ${transcript.name}`, async () => {
    await playTranscript(transcript);
  });
}
