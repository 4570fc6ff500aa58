/** Parts of a hand-written page that a program writes. */

/**
 * Replaces what stands between `<!-- generated:NAME -->` and the next `<!-- /generated -->`. The part
 * is fenced off from the formatter, which would pad its tables. Throws a RangeError when the page does
 * not hold the markers exactly once.
 */
export function replaceSection(page: string, name: string, content: string): string {
  const opening = `<!-- generated:${name} -->`;
  const parts = page.split(opening);
  const [before, after, ...more] = parts;
  if (before === undefined || after === undefined || more.length > 0) {
    throw new RangeError(`the page holds "${opening}" ${parts.length - 1} times; put it in once`);
  }
  const end = after.indexOf(CLOSING);
  if (end === -1) throw new RangeError(`"${opening}" is not followed by "${CLOSING}"; add it`);
  return [
    before,
    opening,
    "\n<!-- deno-fmt-ignore-start -->\n\n",
    content.trim(),
    "\n\n<!-- deno-fmt-ignore-end -->\n",
    after.slice(end),
  ].join("");
}

/** A Markdown table; bars and line breaks in a cell are made harmless. */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replace(/\|/g, "\\|").replace(/\s*\n\s*/g, " ")).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

const CLOSING = "<!-- /generated -->";
