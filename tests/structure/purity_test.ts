/** The type check without a platform refuses what it is there to refuse. */

import assert from "node:assert/strict";
import { join } from "node:path/posix";
import { layerOf, LAYERS } from "./layer_law.ts";
import { listFiles, ROOT } from "./source_tree.ts";

/** Type-checks one source with the settings of the pure layers; the names that are not found. */
async function unknownNames(source: string): Promise<readonly string[]> {
  const folder = await Deno.makeTempDir({ prefix: "clawgate-purity-" });
  try {
    await Deno.copyFile(join(ROOT, "purity.json"), join(folder, "purity.json"));
    await Deno.writeTextFile(join(folder, "a.ts"), source);
    const { stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--no-lock", "--config", "purity.json", "a.ts"],
      cwd: folder,
      stdin: "null",
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stderr);
    assert.match(text, /Check /, text);
    return [...text.matchAll(/Cannot find name '(\w+)'/g)].map(([, name]) => name ?? "");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the pure type check knows no Deno, process or Buffer", async () => {
  const names = await unknownNames("export const a = [Deno.args, process.env, Buffer.from([])];\n");
  assert.deepEqual(names, ["Deno", "process", "Buffer"]);
});

Deno.test("the pure type check knows what every runtime has", async () => {
  const source = `export const a = new TextEncoder().encode("a");
export const b = await crypto.subtle.digest("SHA-256", a);
export const c: [URL, AbortSignal, Request] | undefined = undefined;
`;
  assert.deepEqual(await unknownNames(source), []);
});

Deno.test("the task check:pure covers every layer that has no platform", () => {
  const manifest: { tasks: Record<string, { command: string }> } = JSON.parse(
    Deno.readTextFileSync(join(ROOT, "deno.json")),
  );
  const command = manifest.tasks["check:pure"]?.command ?? "";
  const present = new Set(listFiles(ROOT).filter((path) => path.endsWith(".ts")).map(layerOf));
  for (const [name, { platform }] of Object.entries(LAYERS)) {
    if (platform || !present.has(name)) continue;
    assert.ok(command.split(" ").includes(`src/${name}/`), `check:pure leaves out src/${name}/`);
  }
});

Deno.test("the pure type check is as strict as the other one", () => {
  const options = (name: string): Record<string, unknown> => {
    const { lib: _lib, types: _types, ...rest } = JSON.parse(
      Deno.readTextFileSync(join(ROOT, name)),
    ).compilerOptions;
    return rest;
  };
  assert.deepEqual(options("purity.json"), options("deno.json"));
});
