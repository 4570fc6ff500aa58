/** Aligned columns for a terminal. */

/** Columns apart from each other, in spaces. */
const GAP = "  ";

/** Rows of equal length under a heading, each column as wide as its widest cell; no trailing spaces. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  return align([heading, ...rows]);
}

/** `name  value` lines with the values in one column. */
export function facts(lines: readonly (readonly [string, string])[]): string {
  return align(lines);
}

function align(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((text, column) => {
      widths[column] = Math.max(widths[column] ?? 0, displayWidth(text));
    });
  }
  return rows.map((row) =>
    row.map((text, column) => text + " ".repeat((widths[column] ?? 0) - displayWidth(text)))
      .join(GAP).trimEnd() + "\n"
  ).join("");
}

/** Columns that a terminal gives to a text: two for East Asian wide characters and emoji. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    width +=
      /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u
          .test(segment)
        ? 2
        : 1;
  }
  return width;
}
