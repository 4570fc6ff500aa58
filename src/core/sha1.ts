/**
 * SHA-1, for the opening handshake of a WebSocket, which asks for it by name and relies on none of its
 * strength. Synchronous, so that a handshake waits for nothing. Everything else uses SHA-256.
 */

const BLOCK_BYTES = 64;

/** The length of the message in bits stands in the last bytes of the last block. */
const LENGTH_BYTES = 8;

/** The SHA-1 digest, 20 bytes (FIPS 180-4, section 6.1). */
export function sha1(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = Math.ceil((bytes.length + 1 + LENGTH_BYTES) / BLOCK_BYTES);
  const padded = new Uint8Array(blocks * BLOCK_BYTES);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - LENGTH_BYTES, BigInt(bytes.length) * 8n);
  const state = new Int32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);
  const schedule = new Int32Array(80);
  for (let at = 0; at < padded.length; at += BLOCK_BYTES) {
    for (let t = 0; t < 16; t++) schedule[t] = view.getInt32(at + t * 4);
    compress(state, schedule);
  }
  const digest = new DataView(new ArrayBuffer(state.byteLength));
  state.forEach((word, index) => digest.setInt32(index * 4, word));
  return new Uint8Array(digest.buffer);
}

/** Takes one block into the state; the first 16 words of the schedule are the block. */
function compress(state: Int32Array, schedule: Int32Array): void {
  for (let t = 16; t < 80; t++) {
    const mixed = word(schedule, t - 3) ^ word(schedule, t - 8) ^ word(schedule, t - 14) ^
      word(schedule, t - 16);
    schedule[t] = rotate(mixed, 1);
  }
  let a = word(state, 0), b = word(state, 1), c = word(state, 2), d = word(state, 3);
  let e = word(state, 4);
  for (let t = 0; t < 80; t++) {
    const next = rotate(a, 5) + round(t, b, c, d) + e + word(schedule, t) | 0;
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = next;
  }
  [a, b, c, d, e].forEach((value, index) => state[index] = word(state, index) + value | 0);
}

/** The function of a round with its constant. */
function round(t: number, b: number, c: number, d: number): number {
  if (t < 20) return (b & c | ~b & d) + 0x5a827999;
  if (t < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (t < 60) return (b & c | b & d | c & d) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}

function rotate(value: number, bits: number): number {
  return value << bits | value >>> (32 - bits);
}

function word(words: Int32Array, index: number): number {
  return words[index] ?? 0;
}
