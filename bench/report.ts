/** Prints figures: a table for people, JSON for programs. */

import { type Figure, ratioOf, reachedOf } from "./figure.ts";

const HEADINGS = ["figure", "median", "lowest", "unit", "baseline", "ratio", "target", "reached"];

/** Columns of words; the others are numbers and stand on the right. */
const WORD_COLUMNS: ReadonlySet<number> = new Set([0, 3, 7]);

/** A group's figures as an aligned table that ends in a line break. */
export function tableOf(group: string, figures: readonly Figure[]): string {
  const rows = [HEADINGS, ...figures.map(rowOf)];
  const widths = HEADINGS.map((_heading, at) =>
    Math.max(...rows.map((row) => (row[at] ?? "").length))
  );
  const lines = rows.map((row) =>
    row.map((cell, at) => {
      const width = widths[at] ?? 0;
      return WORD_COLUMNS.has(at) ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ").trimEnd()
  );
  return `${group}\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}

/** The figures as one JSON text; `reached` and `ratio` are worked out. */
export function jsonOf(
  groups: readonly { readonly group: string; readonly figures: readonly Figure[] }[],
): string {
  const figures = groups.flatMap(({ group, figures }) =>
    figures.map((figure) => ({
      group,
      ...figure,
      ratio: ratioOf(figure),
      reached: reachedOf(figure),
    }))
  );
  return JSON.stringify({ figures }, undefined, 2);
}

function rowOf(figure: Figure): readonly string[] {
  const reached = reachedOf(figure);
  return [
    figure.name,
    numberText(figure.value),
    numberText(figure.lowest),
    figure.unit,
    numberText(figure.baseline),
    numberText(ratioOf(figure)),
    figure.target === undefined ? "" : `${figure.target}`,
    reached === undefined ? "" : reached ? "yes" : "NO",
  ];
}

/** Three digits that mean something. */
function numberText(value: number | undefined): string {
  if (value === undefined) return "";
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
