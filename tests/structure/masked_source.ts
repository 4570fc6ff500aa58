/** TypeScript text with everything blanked that is not code, so that plain patterns can be trusted. */

/** One source text, taken apart. All three texts have the same length and line breaks. */
export interface MaskedSource {
  readonly raw: string;
  /** Comments, and the contents of strings, templates and regular expressions, are blanks. */
  readonly code: string;
  /** Only the comments are left. */
  readonly comments: string;
}

/** Words after which a slash starts a regular expression although they end in a letter. */
const REGEX_AFTER_WORD =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield|instanceof)$/;

/** Takes a source text apart. Unterminated literals run to the end of the text. */
export function maskSource(raw: string): MaskedSource {
  const code = [...blank(raw)];
  const comments = [...blank(raw)];
  const keep = (target: string[], from: number, to: number): void => {
    for (let index = from; index < to; index++) target[index] = raw.charAt(index);
  };
  /** For each open `${`: how many braces are open inside it. */
  const templates: number[] = [];
  let at = raw.startsWith("#!") ? lineEnd(raw, 0) : 0;
  while (at < raw.length) {
    const char = raw.charAt(at);
    const next = raw.charAt(at + 1);
    const depth = templates.at(-1);
    if (char === "/" && (next === "/" || next === "*")) {
      const end = next === "/" ? lineEnd(raw, at) : blockEnd(raw, at + 2);
      keep(comments, at, end);
      at = end;
    } else if (char === '"' || char === "'") {
      const end = quoteEnd(raw, at);
      code[at] = char;
      code[end - 1] = char;
      at = end;
    } else if (char === "`" || (char === "}" && depth === 0)) {
      if (char === "}") templates.pop();
      else code[at] = char;
      const { end, opens } = templateEnd(raw, at + 1);
      if (opens) templates.push(0);
      else code[end - 1] = "`";
      at = end;
    } else if (char === "/" && startsRegex(raw, code, at)) {
      const end = regexEnd(raw, at);
      code[at] = "/";
      code[end - 1] = "/";
      at = end;
    } else {
      if (depth !== undefined && char === "{") templates[templates.length - 1] = depth + 1;
      if (depth !== undefined && char === "}") templates[templates.length - 1] = depth - 1;
      code[at] = char;
      at++;
    }
  }
  return { raw, code: code.join(""), comments: comments.join("") };
}

/** The number of the line that holds a position, from 1. */
export function lineAt(text: string, position: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < position; at = text.indexOf("\n", at + 1)) {
    line++;
  }
  return line;
}

/** For each position: how many brackets of any kind are open there. */
export function nesting(code: string): readonly number[] {
  const depths: number[] = [];
  let depth = 0;
  for (const char of code) {
    if (char === "}" || char === ")" || char === "]") depth--;
    depths.push(depth);
    if (char === "{" || char === "(" || char === "[") depth++;
  }
  return depths;
}

function* blank(raw: string): Iterable<string> {
  for (let index = 0; index < raw.length; index++) yield raw.charAt(index) === "\n" ? "\n" : " ";
}

function lineEnd(raw: string, from: number): number {
  const end = raw.indexOf("\n", from);
  return end === -1 ? raw.length : end;
}

function blockEnd(raw: string, from: number): number {
  const end = raw.indexOf("*/", from);
  return end === -1 ? raw.length : end + 2;
}

function quoteEnd(raw: string, from: number): number {
  const quote = raw.charAt(from);
  for (let at = from + 1; at < raw.length; at++) {
    const char = raw.charAt(at);
    if (char === "\\") at++;
    else if (char === quote) return at + 1;
    else if (char === "\n") return at;
  }
  return raw.length;
}

/** From inside a template to behind its closing quote, or behind the `${` that opens code again. */
function templateEnd(raw: string, from: number): { end: number; opens: boolean } {
  for (let at = from; at < raw.length; at++) {
    const char = raw.charAt(at);
    if (char === "\\") at++;
    else if (char === "`") return { end: at + 1, opens: false };
    else if (char === "$" && raw.charAt(at + 1) === "{") return { end: at + 2, opens: true };
  }
  return { end: raw.length, opens: false };
}

function startsRegex(raw: string, code: readonly string[], at: number): boolean {
  let before = at - 1;
  while (before >= 0 && /\s/.test(code[before] ?? "")) before--;
  if (before < 0) return true;
  const previous = code[before] ?? "";
  if (/[\w$]/.test(previous)) return REGEX_AFTER_WORD.test(raw.slice(0, before + 1).slice(-20));
  return !/[)\]}"'`]/.test(previous);
}

function regexEnd(raw: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < raw.length; at++) {
    const char = raw.charAt(at);
    if (char === "\\") at++;
    else if (char === "\n") return at;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) return at + 1;
  }
  return raw.length;
}
