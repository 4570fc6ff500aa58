/**
 * Writes the generated parts of the wire pages; with `--check` it writes nothing and exits with 1 when
 * a page is out of date.
 */

import { CHAT_SECTIONS } from "./chat_tables.ts";
import { CONTROL_SECTIONS } from "./control_tables.ts";
import { replaceSection } from "./generated_section.ts";
import { OPENCLAW_SECTIONS } from "./openclaw_tables.ts";

/** The generated sections of each wire's page, by its folder. */
const PAGES: Readonly<Record<string, readonly (readonly [name: string, content: string])[]>> = {
  openclaw: OPENCLAW_SECTIONS,
  control: CONTROL_SECTIONS,
  chat: CHAT_SECTIONS,
};

for (const [wire, sections] of Object.entries(PAGES)) {
  const name = `src/protocols/${wire}/README.md`;
  const path = new URL(`../${name}`, import.meta.url);
  const old = await Deno.readTextFile(path);
  const page = sections.reduce((text, [part, content]) => replaceSection(text, part, content), old);
  if (page === old) continue;
  if (Deno.args.includes("--check")) {
    console.error(`${name} is out of date; run: deno task docs:wire`);
    Deno.exit(1);
  }
  await Deno.writeTextFile(path, page);
}
