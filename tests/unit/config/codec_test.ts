import assert from "node:assert/strict";
import {
  MAX_SETTINGS_BYTES,
  parseConfigText,
  readSettingsText,
  settingsCodec,
  type SettingsFormat,
  settingsFormat,
} from "../../../src/config.ts";
import { MAX_YAML_CHARS } from "../../../src/config/yaml_text.ts";
import { valueAt } from "../../support/dotted_path.ts";

Deno.test("the format follows the end of the file's name", () => {
  const table: readonly [string, SettingsFormat][] = [
    ["/a/clawgate.json", "json5"],
    ["openclaw.json", "json5"],
    ["x.json5", "json5"],
    ["x", "json5"],
    ["x.yaml", "yaml"],
    ["x.YML", "yaml"],
    ["yaml", "json5"],
  ];
  for (const [path, format] of table) assert.equal(settingsFormat(path), format, path);
});

Deno.test("a syntax error tells line and column and quotes no value", async () => {
  const table: readonly [SettingsFormat, string, string][] = [
    ["json5", "{", "the settings are not valid JSON5: invalid end of input at line 1, column 2"],
    [
      "json5",
      "{\n  a: hunter2\n}",
      "the settings are not valid JSON5: invalid character 'h' at line 2, column 6",
    ],
    [
      "json5",
      "{ token: 'hunter2",
      "the settings are not valid JSON5: invalid end of input at line 1, column 18",
    ],
    ["yaml", "a: [1, 2", "the settings are not valid YAML: bad indent at line 1, column 9"],
    [
      "yaml",
      "token: 'hunter2",
      "the settings are not valid YAML: missing char at line 1, column 16",
    ],
    [
      "yaml",
      "a: 1\na: 2\n",
      "the settings are not valid YAML: a key is written twice at line 2, column 1",
    ],
    [
      "yaml",
      "a: &x 1\n",
      "the settings are not valid YAML: anchors are not allowed at line 1, column 7",
    ],
    [
      "yaml",
      "a: !!binary aGk=\n",
      "the settings are not valid YAML: tags are not allowed at line 1, column 13",
    ],
    [
      "yaml",
      "? [a]\n: 1\n",
      "the settings are not valid YAML: a key must be plain text at line 1, column 3",
    ],
    [
      "yaml",
      "a: 1\n---\nb: 2\n",
      "the settings are not valid YAML: multiple docs at line 2, column 1",
    ],
    [
      "yaml",
      "%YAML 1.1\n---\na: yes\n",
      "the settings are not valid YAML: directives are not allowed at line 1, column 1",
    ],
    ["json5", "[]", "the settings must be an object"],
    ["json5", "'hunter2'", "the settings must be an object"],
    ["yaml", "hunter2", "the settings must be an object"],
    ["json5", '{"__proto__": 1}', "__proto__ is a key that is not allowed"],
    ["yaml", "__proto__: 1", "__proto__ is a key that is not allowed"],
    ["json5", "{a: Infinity}", "a must be a finite number"],
  ];
  for (const [format, raw, message] of table) {
    const { record, issues } = await parseConfigText(raw, { format });
    assert.equal(record, undefined);
    assert.deepEqual(issues, [{ path: "", message }], raw);
    assert.doesNotMatch(message, /hunter2|SyntaxError|YAMLParse/);
  }
});

Deno.test("blank text is an empty document in both formats", async () => {
  for (const format of ["json5", "yaml"] as const) {
    for (const raw of ["", " \n", ...(format === "yaml" ? ["# only a word\n", "---\n"] : [])]) {
      assert.deepEqual(await parseConfigText(raw, { format }), { record: {}, issues: [] }, raw);
    }
  }
});

Deno.test("hostile texts are refused and do not exhaust the process", async () => {
  const bomb = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n";
  const table: readonly [SettingsFormat, string][] = [
    ["json5", " ".repeat(MAX_SETTINGS_BYTES + 1)],
    ["json5", `{a: "${"é".repeat(MAX_SETTINGS_BYTES / 2)}"}`],
    ["json5", "[".repeat(200_000)],
    ["json5", `{a: ${"[".repeat(5_000)}${"]".repeat(5_000)}}`],
    ["json5", "{a: '\ud800'}"],
    ["yaml", "#".repeat(MAX_YAML_CHARS + 1)],
    ["yaml", bomb],
    ["yaml", "[".repeat(50_000)],
    ["yaml", "- ".repeat(50_000)],
    ["yaml", "{a: ".repeat(50_000)],
    ["yaml", "a: *b\n"],
    ["yaml", "<<: {a: 1}\nb: *c\n"],
  ];
  for (const [format, raw] of table) {
    const { record, issues } = await parseConfigText(raw, { format });
    assert.equal(record, undefined, raw.slice(0, 40));
    assert.equal(issues.length, 1);
    assert.ok((issues[0]?.message.length ?? 999) < 500);
  }
});

Deno.test("the codec fills defaults in and leaves references as written", async () => {
  const codec = await settingsCodec({ format: "json5", env: { SECRET_FILE: "/hidden" } });
  const filled = codec.fill({ logging: { file: "${SECRET_FILE}" }, extra: { kept: true } });
  assert.deepEqual(filled.logging, { file: "${SECRET_FILE}", level: "info" });
  assert.deepEqual(filled.extra, { kept: true });
  assert.equal(valueAt(filled, "gateway.port"), 18789);
  assert.doesNotMatch(JSON.stringify(filled), /hidden/);
});

Deno.test("a text's scalars and comments are found where they lie", async () => {
  const table: readonly [SettingsFormat, string, readonly string[], readonly string[]][] = [
    [
      "json5",
      "// x\n{ a: 'b', /* y */ c: [1, { d: true }], \"e\": null }",
      ["a='b'", "c.0=1", "c.1.d=true", "e=null"],
      ["// x", "/* y */"],
    ],
    [
      "yaml",
      "# x\na: 'b # no'\nc: [1, {d: true}] # y\ne: |\n  # inside\n  f\n",
      ["a='b # no'", "c.0=1", "c.1.d=true", "e=|\n  # inside\n  f"],
      ["# x", "# y"],
    ],
  ];
  for (const [format, raw, scalars, comments] of table) {
    const reading = await readSettingsText(raw, format);
    assert.ok(reading.ok);
    assert.deepEqual(
      reading.text.scalars.map(({ path, start, end }) =>
        `${path.join(".")}=${raw.slice(start, end)}`
      ),
      scalars,
    );
    assert.deepEqual(
      reading.text.comments.map(({ start, end }) => raw.slice(start, end)),
      comments,
    );
  }
});
