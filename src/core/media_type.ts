/** What kind of file bytes are, by how they begin. */

/** Bytes that a kind is told by. */
export const SNIFFED_BYTES = 16;

interface Signature {
  readonly type: string;
  readonly at: number;
  readonly bytes: readonly number[];
}

const SIGNATURES: readonly Signature[] = [
  { type: "image/png", at: 0, bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] },
  { type: "image/jpeg", at: 0, bytes: [0xff, 0xd8, 0xff] },
  { type: "image/gif", at: 0, bytes: [0x47, 0x49, 0x46, 0x38] },
  { type: "image/webp", at: 8, bytes: [0x57, 0x45, 0x42, 0x50] },
  { type: "application/pdf", at: 0, bytes: [0x25, 0x50, 0x44, 0x46, 0x2d] },
  { type: "audio/wav", at: 8, bytes: [0x57, 0x41, 0x56, 0x45] },
  { type: "audio/ogg", at: 0, bytes: [0x4f, 0x67, 0x67, 0x53] },
  { type: "video/mp4", at: 4, bytes: [0x66, 0x74, 0x79, 0x70] },
  { type: "audio/mpeg", at: 0, bytes: [0x49, 0x44, 0x33] },
];

/** Types whose files begin in a way that is known; a file that says it is one must begin so. */
const SURE: ReadonlySet<string> = new Set(
  ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "audio/wav"],
);

/** The type of a file by its first {@linkcode SNIFFED_BYTES} bytes; undefined where they tell nothing. */
export function sniffType(start: Uint8Array): string | undefined {
  return SIGNATURES.find(({ at, bytes }) =>
    bytes.every((byte, index) => start[at + index] === byte)
  )
    ?.type;
}

/** Whether a file that begins so can be of `type`: nothing known speaks against it. */
export function agreesWith(type: string, start: Uint8Array): boolean {
  const found = sniffType(start);
  if (found === undefined) {
    return !SURE.has(type) && !(type.startsWith("text/") && start.includes(0));
  }
  return found === type;
}

/** A Content-Type without its parameters, lower case; undefined where it is no type. */
export function plainType(text: string | null | undefined): string | undefined {
  const type = text?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return /^[a-z]+\/[a-z0-9][a-z0-9.+-]{0,63}$/.test(type) ? type : undefined;
}
