/**
 * Values of a transcript: JSON with wildcards. Besides JSON a value may be `*` (anything), `$name`
 * (whatever the name stands for; in an expectation its first use captures), `@150` (the time 150 ms
 * after the start), `~"ab*"` (text with `*` for any characters); names of members may go without
 * quotes; `...` as a member or element lets others follow; `${name}` inside text is replaced.
 */

/** What a `*` or a capture leaves open, and what is fixed. */
export type Pattern =
  | { readonly kind: "any" }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "time"; readonly offset: number }
  | { readonly kind: "glob"; readonly glob: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "plain"; readonly value: null | boolean | number }
  | { readonly kind: "list"; readonly items: readonly Pattern[]; readonly open: boolean }
  | {
    readonly kind: "object";
    readonly members: ReadonlyMap<string, Pattern>;
    readonly open: boolean;
  };

/** What names and times stand for. */
export interface Scope {
  readonly names: Map<string, unknown>;
  /** The time that `@0` means. */
  readonly start: number;
}

/** Reads one value from the beginning of a text; gives it and the text behind it. Throws a SyntaxError. */
export function readPattern(text: string): { readonly pattern: Pattern; readonly rest: string } {
  const reader = new Reader(text);
  const pattern = reader.value();
  return { pattern, rest: reader.rest };
}

/** The value that a pattern without wildcards stands for; throws where something is open. */
export function build(pattern: Pattern, scope: Scope): unknown {
  switch (pattern.kind) {
    case "plain":
      return pattern.value;
    case "text":
      return interpolate(pattern.text, scope);
    case "time":
      return scope.start + pattern.offset;
    case "name":
      if (!scope.names.has(pattern.name)) throw new Error(`nothing is called $${pattern.name} yet`);
      return scope.names.get(pattern.name);
    case "list":
      if (pattern.open) break;
      return pattern.items.map((item) => build(item, scope));
    case "object":
      if (pattern.open) break;
      return Object.fromEntries(
        [...pattern.members].map(([name, member]) => [name, build(member, scope)]),
      );
    case "any":
    case "glob":
      break;
  }
  throw new Error("a client's frame has no wildcards");
}

/** Where a value differs from a pattern: one line each; captures names on the way. */
export function differences(
  pattern: Pattern,
  value: unknown,
  options: { readonly scope: Scope; readonly path?: string },
): readonly string[] {
  const { scope, path = "" } = options;
  const wrong = (expected: unknown): string[] => [
    `at ${path === "" ? "the frame" : path}: expected ${show(expected)}, got ${show(value)}`,
  ];
  switch (pattern.kind) {
    case "any":
      return value === undefined ? wrong("something") : [];
    case "plain":
      return value === pattern.value ? [] : wrong(pattern.value);
    case "text": {
      const text = interpolate(pattern.text, scope);
      return value === text ? [] : wrong(text);
    }
    case "time":
      return value === scope.start + pattern.offset ? [] : wrong(scope.start + pattern.offset);
    case "glob": {
      const source = interpolate(pattern.glob, scope).split("*").map(RegExp.escape).join(".*");
      const fits = typeof value === "string" && new RegExp(`^${source}$`, "su").test(value);
      return fits ? [] : wrong(`~${pattern.glob}`);
    }
    case "name": {
      if (value === undefined) return wrong(`$${pattern.name}`);
      if (!scope.names.has(pattern.name)) {
        scope.names.set(pattern.name, value);
        return [];
      }
      const known = scope.names.get(pattern.name);
      return JSON.stringify(known) === JSON.stringify(value) ? [] : wrong(known);
    }
    case "list": {
      if (!Array.isArray(value)) return wrong("a list");
      const found = pattern.items.flatMap((item, at) =>
        differences(item, value[at], { scope, path: `${path}[${at}]` })
      );
      if (pattern.open || value.length <= pattern.items.length) return found;
      return [...found, `at ${path}: ${value.length - pattern.items.length} elements too many`];
    }
    case "object": {
      if (!isRecord(value)) return wrong("an object");
      const found = [...pattern.members].flatMap(([name, member]) =>
        differences(member, value[name], { scope, path: path === "" ? name : `${path}.${name}` })
      );
      if (pattern.open) return found;
      const extra = Object.keys(value).filter((name) => !pattern.members.has(name));
      return [
        ...found,
        ...extra.map((name) =>
          `at ${path === "" ? name : `${path}.${name}`}: unexpected ${show(value[name])}`
        ),
      ];
    }
  }
}

/** Whether a value is an object with members. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function interpolate(text: string, { names }: Scope): string {
  return text.replace(/\$\{([\w.]+)\}/g, (_all, name: string) => {
    if (!names.has(name)) throw new Error(`nothing is called $${name} yet`);
    return String(names.get(name));
  });
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get rest(): string {
    return this.#text.slice(this.#at).trim();
  }

  value(): Pattern {
    this.#space();
    const char = this.#text[this.#at];
    if (char === "{") return this.#object();
    if (char === "[") return this.#list();
    if (char === '"') return { kind: "text", text: this.#string() };
    if (char === "~") {
      this.#at++;
      return { kind: "glob", glob: this.#string() };
    }
    if (this.#take(/\*/y) !== undefined) return { kind: "any" };
    const name = this.#take(/\$[\w.]+/y);
    if (name !== undefined) return { kind: "name", name: name.slice(1) };
    const time = this.#take(/@-?\d+/y);
    if (time !== undefined) return { kind: "time", offset: Number(time.slice(1)) };
    const word = this.#take(/true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
    if (word !== undefined) return { kind: "plain", value: JSON.parse(word) };
    throw this.#unexpected("a value");
  }

  #object(): Pattern {
    const members = new Map<string, Pattern>();
    let open = false;
    this.#sequence("{", "}", () => {
      if (this.#take(/\.\.\./y) !== undefined) {
        open = true;
        return;
      }
      const name = this.#text[this.#at] === '"' ? this.#string() : this.#take(/[\w$-]+/y);
      if (name === undefined) throw this.#unexpected("the name of a member");
      this.#space();
      if (this.#take(/:/y) === undefined) throw this.#unexpected('":"');
      members.set(name, this.value());
    });
    return { kind: "object", members, open };
  }

  #list(): Pattern {
    const items: Pattern[] = [];
    let open = false;
    this.#sequence("[", "]", () => {
      if (this.#take(/\.\.\./y) === undefined) items.push(this.value());
      else open = true;
    });
    return { kind: "list", items, open };
  }

  #sequence(start: string, end: string, item: () => void): void {
    if (this.#text[this.#at] !== start) throw this.#unexpected(`"${start}"`);
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === end) {
      this.#at++;
      return;
    }
    for (;;) {
      this.#space();
      item();
      this.#space();
      const next = this.#text[this.#at++];
      if (next === end) return;
      if (next !== ",") {
        this.#at--;
        throw this.#unexpected(`"," or "${end}"`);
      }
    }
  }

  #string(): string {
    const token = this.#take(/"(?:[^"\\]|\\.)*"/y);
    if (token === undefined) throw this.#unexpected("a text");
    return JSON.parse(token);
  }

  #space(): void {
    this.#take(/\s+/y);
  }

  #take(token: RegExp): string | undefined {
    token.lastIndex = this.#at;
    const found = token.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #unexpected(wanted: string): SyntaxError {
    const near = this.#text.slice(this.#at, this.#at + 40);
    return new SyntaxError(`expected ${wanted}, found ${near === "" ? "the end" : near}`);
  }
}
