import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Config,
  defaultConfig,
  parseConfig,
  parseConfigText,
  settingsCodec,
  type SettingsFormat,
} from "../../src/config.ts";
import { editJson5 } from "../../src/config/json5_text.ts";
import { editYaml, writeYaml } from "../../src/config/yaml_text.ts";
import type { SettingsFile } from "../../src/ports/settings_file.ts";
import type { Json } from "../../src/ports/store.ts";
import { isObject } from "../../src/services/json_value.ts";
import { mergePatch } from "../../src/services/merge_patch.ts";
import { Settings } from "../../src/services/settings.ts";
import type { JsonObject } from "../../src/services/settings_codec.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { MemoryLog } from "../support/memory_log.ts";

/** What is sought in every answer; the text around it is arbitrary. */
const CORE = "zqSECRETqz";

const secretKey = fc.constantFrom(
  "token",
  "botToken",
  "password",
  "apiKey",
  "client_secret",
  "env",
);
const plainKey = fc.oneof(
  fc.constantFrom(
    "gateway",
    "auth",
    "name",
    "channels",
    "x",
    "a-b",
    "$v",
    "list",
    "on",
    "null",
    "1",
  ),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }),
).filter((key) => !["__proto__", "constructor", "prototype"].includes(key));

const secretText = fc.tuple(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.string({ unit: "binary", maxLength: 8 }),
).map(([before, after]) => `${before}${CORE}${after}`).filter((text) => text.isWellFormed());

const plainLeaf: fc.Arbitrary<Json> = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 6 }).filter((text) => text.isWellFormed()),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number === 0 ? 0 : number),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom(
    "# no comment",
    "// none",
    "a: b",
    "- x",
    "'",
    '"',
    "|",
    "{",
    "${",
    "no",
    "~",
    "1e3",
  ),
);

const { tree } = fc.letrec<{ tree: JsonObject; value: Json; secret: Json }>((tie) => ({
  secret: fc.oneof(
    { weight: 4, arbitrary: secretText },
    fc.array(secretText, { maxLength: 2 }),
    fc.dictionary(plainKey, secretText, { maxKeys: 2 }),
  ),
  value: fc.oneof(
    { weight: 3, arbitrary: plainLeaf },
    tie("tree"),
    fc.array(fc.oneof(plainLeaf, tie("tree")), { maxLength: 3 }),
  ),
  tree: fc.tuple(
    fc.array(fc.tuple(plainKey, tie("value")), { maxLength: 4 }),
    fc.array(fc.tuple(secretKey, tie("secret")), { maxLength: 2 }),
  ).map(([plain, secret]) => Object.fromEntries([...plain, ...secret])),
}));

/** Settings that hold secrets and are valid, with much that the schema does not know. */
const document: fc.Arbitrary<JsonObject> = fc.tuple(tree, fc.array(secretText, { maxLength: 2 }))
  .map(
    ([unknown, [token, header]]) => ({
      unknown,
      ...(token === undefined
        ? {}
        : { gateway: { auth: { token: `t${token.replace(/\s/g, "_")}t` }, port: 5 } }),
      ...(header === undefined
        ? {}
        : { models: { providers: { p: { baseUrl: "http://x", headers: { A: header } } } } }),
    }),
  );

/** Renders JSON5 in one of many layouts, with comments that speak of secrets. */
function renderJson5(value: Json, style: number, indent = ""): string {
  const inner = `${indent}  `;
  const note = style % 3 === 0
    ? ` // token: ${CORE}-old\n`
    : style % 3 === 1
    ? ` /* ${indent} */ `
    : "\n";
  const comma = style % 2 === 0 ? "," : "";
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    const items = value.map((item) => `${inner}${renderJson5(item, style, inner)}`);
    return `[${note}${items.join(`,${note}`)}${comma}${note}${indent}]`;
  }
  if (isObject(value)) {
    const entries = Object.entries(value);
    if (entries.length === 0) return "{}";
    const members = entries.map(([key, item]) => {
      const name = style % 5 === 0 && /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
      return `${inner}${name}:${style % 4 === 0 ? "" : " "}${renderJson5(item, style, inner)}`;
    });
    return `{${note}${members.join(`,${note}`)}${comma}${note}${indent}}`;
  }
  const text = JSON.stringify(value);
  if (typeof value !== "string" || style % 7 !== 0) return text;
  return `'${text.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

function render(value: JsonObject, format: SettingsFormat, style: number): string {
  if (format === "json5") return `${renderJson5(value, style)}\n`;
  return `# password: ${CORE}\n${writeYaml(value)}`;
}

async function open(
  raw: string,
  format: SettingsFormat,
): Promise<{ settings: Settings<Config>; text(): string }> {
  let held = raw;
  const file: SettingsFile = {
    read: () => Promise.resolve({ path: "/c", raw: held }),
    write: (next) => {
      held = next;
      return Promise.resolve();
    },
  };
  const codec = await settingsCodec({ format, env: {} });
  const parts = { file, codec, clock: new ManualClock(), log: new MemoryLog(), version: "1" };
  return { settings: new Settings(defaultConfig(), parts), text: () => held };
}

const format = fc.constantFrom<SettingsFormat>("json5", "yaml");
const style = fc.nat(420);

Deno.test("no secret of any settings appears in what get answers", async () => {
  await fc.assert(
    fc.asyncProperty(document, format, style, async (settingsDocument, kind, look) => {
      const raw = render(settingsDocument, kind, look);
      const snapshot = await (await open(raw, kind)).settings.get();
      assert.equal(JSON.stringify(snapshot).includes(CORE), false);
      assert.notEqual(snapshot.raw, null, "the text was withheld");
    }),
    { numRuns: 400 },
  );
});

Deno.test("redacted text written back leaves the file as it was", async () => {
  await fc.assert(
    fc.asyncProperty(document, format, style, async (settingsDocument, kind, look) => {
      const raw = render(settingsDocument, kind, look);
      const { settings, text } = await open(raw, kind);
      const snapshot = await settings.get();
      // Some arbitrary secrets are no good as the gateway's own, and an invalid file is not written.
      fc.pre(snapshot.valid);
      assert.ok(snapshot.raw !== null && snapshot.hash !== undefined);
      await settings.set({ raw: snapshot.raw, baseHash: snapshot.hash });
      const before = (await parseConfigText(raw, { format: kind })).record;
      assert.deepEqual((await parseConfigText(text(), { format: kind })).record, before);
      if (kind === "json5") {
        assert.equal((await settings.get()).raw, snapshot.raw);
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("a patch of arbitrary settings reads as the merge of both and keeps every secret", async () => {
  await fc.assert(
    fc.asyncProperty(document, tree, format, style, async (before, unknown, kind, look) => {
      const { settings, text } = await open(render(before, kind, look), kind);
      const { valid, hash } = await settings.get();
      fc.pre(valid);
      assert.ok(hash !== undefined);
      const patch = { unknown };
      await settings.patch({ raw: JSON.stringify(patch), baseHash: hash });
      const merged = mergePatch(before, patch);
      assert.deepEqual((await parseConfigText(text(), { format: kind })).record, plain(merged));
    }),
    { numRuns: 300 },
  );
});

Deno.test("an edited text reads as what was asked for", () => {
  fc.assert(
    fc.asyncProperty(tree, tree, style, async (before, after, look) => {
      const json5 = editJson5(render(before, "json5", look), after);
      if (json5 !== undefined) {
        assert.deepEqual((await parseConfigText(json5, { format: "json5" })).record, plain(after));
      }
      const yaml = editYaml(render(before, "yaml", look), after);
      if (yaml !== undefined) {
        assert.deepEqual((await parseConfigText(yaml, { format: "yaml" })).record, plain(after));
      }
    }),
    { numRuns: 300 },
  );
});

/** Through JSON and back, which is what a text can carry. */
function plain(value: JsonObject): unknown {
  return JSON.parse(JSON.stringify(value));
}

Deno.test("any text is read or refused with one issue", () => {
  const pieces = fc.array(
    fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ":",
      ",",
      "a",
      "'",
      '"',
      "\\",
      "\n",
      " ",
      "//",
      "/*",
      "*/",
      "#",
      "-",
      "|",
      ">",
      "&a",
      "*a",
      "!!x",
      "?",
      "1",
      "${A}",
      "---",
      "\t",
      "\u2028",
      "__proto__",
    ),
    { maxLength: 40 },
  ).map((list) => list.join(""));
  fc.assert(
    fc.asyncProperty(fc.oneof(pieces, fc.string({ unit: "binary" })), format, async (raw, kind) => {
      const { record, issues } = await parseConfigText(raw, { format: kind });
      assert.equal(record === undefined ? 1 : 0, issues.length);
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("any value makes settings or issues, and never changes what objects inherit", () => {
  fc.assert(
    fc.property(fc.anything({ maxDepth: 5, withNullPrototype: true }), (value) => {
      const { config, issues } = parseConfig(value, { env: {} });
      if (issues.length > 0) assert.deepEqual(config, defaultConfig());
      assert.equal(Object.keys(Object.prototype).length, 0);
    }),
    { numRuns: 1_000 },
  );
});
