/** Cuts a long answer into blocks that chat clients can show. */

/**
 * The blocks of a text, in order, each at most `limit` characters and at least one. A cut falls behind the
 * last line break of a block, which is left out, else within a line; never within a character. Joined with
 * the line breaks between they are the text.
 */
export function blocksOf(text: string, limit: number): readonly string[] {
  const blocks: string[] = [];
  let rest = text;
  while (rest.length > limit) {
    const line = rest.lastIndexOf("\n", limit);
    const cut = line > 0 ? line : whole(rest, limit);
    blocks.push(rest.slice(0, cut));
    rest = rest.slice(line > 0 ? cut + 1 : cut);
  }
  // A text that ends with the line break of a cut has no block behind it.
  return blocks.length > 0 && rest === "" ? blocks : [...blocks, rest];
}

/** The longest length up to `limit` that splits no character. */
function whole(text: string, limit: number): number {
  const last = text.charCodeAt(limit - 1);
  return last >= 0xd800 && last <= 0xdbff && limit > 1 ? limit - 1 : limit;
}
