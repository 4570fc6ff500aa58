/** WebSocket frames by hand: those of a client, right or wrong in any way, and a reader of a server's. */

/** Frame types (RFC 6455, section 5.2). */
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** The key of the masked examples in RFC 6455, section 5.7. */
const MASK: readonly number[] = [0x37, 0xfa, 0x21, 0x3d];

const FIN = 0x80;

/** What a client's frame may differ in from a plain one. */
export interface FrameOptions {
  /** False for a fragment that others follow. */
  readonly final?: boolean;
  /** The three reserved bits as a number, RSV1 the highest. */
  readonly reserved?: number;
  /** The four bytes of the key; undefined leaves the frame unmasked. */
  readonly mask?: readonly number[] | undefined;
  /** Bytes that the length is written in, minimal or not: 0 for the seven bits of the second byte. */
  readonly lengthBytes?: 0 | 2 | 8;
  /** The length that the head tells, where it is not that of the payload. */
  readonly announced?: number | bigint;
}

/** A frame as a client sends it. */
export function clientFrame(
  opcode: number,
  payload: Uint8Array | string = "",
  options: FrameOptions = {},
): Uint8Array<ArrayBuffer> {
  const bytes = typeof payload === "string" ? bytesOf(payload) : payload;
  const { final = true, reserved = 0, announced = bytes.length } = options;
  const mask = "mask" in options ? options.mask : MASK;
  const lengthBytes = options.lengthBytes ?? (announced < 126 ? 0 : announced < 65_536 ? 2 : 8);
  const start = 2 + lengthBytes + (mask?.length ?? 0);
  const frame = new Uint8Array(start + bytes.length);
  const view = new DataView(frame.buffer);
  frame[0] = (final ? FIN : 0) | reserved << 4 | opcode;
  const short = lengthBytes === 0 ? Number(announced) : lengthBytes === 2 ? 126 : 127;
  frame[1] = (mask === undefined ? 0 : 0x80) | short;
  if (lengthBytes === 2) view.setUint16(2, Number(announced));
  if (lengthBytes === 8) view.setBigUint64(2, BigInt(announced));
  frame.set(mask ?? [], 2 + lengthBytes);
  frame.set(bytes, start);
  if (mask !== undefined) {
    for (let at = 0; at < bytes.length; at++) frame[start + at]! ^= mask[at & 3]!;
  }
  return frame;
}

/** A message as a client sends it, one frame for each piece; `between` goes behind each but the last. */
export function fragments(
  opcode: number,
  pieces: readonly (Uint8Array | string)[],
  { between = new Uint8Array(0) }: { readonly between?: Uint8Array } = {},
): Uint8Array<ArrayBuffer> {
  return joined(...pieces.flatMap((piece, index) => {
    const final = index === pieces.length - 1;
    const frame = clientFrame(index === 0 ? opcode : 0, piece, { final });
    return final ? [frame] : [frame, between];
  }));
}

/** The payload of a close frame; the reason may be any bytes. */
export function closing(code: number, reason: string | Uint8Array = ""): Uint8Array<ArrayBuffer> {
  return joined(new Uint8Array([code >> 8, code & 0xff]), reason);
}

/** A client's close frame. */
export function clientClose(
  code: number,
  reason: string | Uint8Array = "",
): Uint8Array<ArrayBuffer> {
  return clientFrame(8, closing(code, reason));
}

/** The bytes of texts (as UTF-8) and of bytes, one behind the other. */
export function joined(...parts: readonly (Uint8Array | string)[]): Uint8Array<ArrayBuffer> {
  const pieces = parts.map((part) => typeof part === "string" ? bytesOf(part) : part);
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** A text as UTF-8. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** The bytes that hexadecimal digits name; blanks do not count. */
export function hex(digits: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(digits.replaceAll(" ", ""));
}

/** `length` bytes, none of them alike its neighbours. */
export function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => index * 31 + (index >> 8) & 0xff);
}

/** A frame as a server sends it. */
export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Uint8Array;
  /** Bytes of its head. */
  readonly head: number;
}

/** Reads bytes that must be whole frames of a server: final, unmasked, no reserved bits, lengths minimal. */
export function serverFrames(bytes: Uint8Array): readonly ServerFrame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const frames: ServerFrame[] = [];
  for (let at = 0; at < bytes.length;) {
    const first = view.getUint8(at);
    const second = view.getUint8(at + 1);
    if ((first & 0xf0) !== FIN) throw new Error(`frame at ${at} begins with ${first.toString(16)}`);
    const lengthBytes = second < 126 ? 0 : second === 126 ? 2 : 8;
    if (second > 127) throw new Error(`frame at ${at} is masked`);
    const length = lengthBytes === 0
      ? second
      : lengthBytes === 2
      ? view.getUint16(at + 2)
      : Number(view.getBigUint64(at + 2));
    if (lengthBytes > 0 && length < (lengthBytes === 2 ? 126 : 65_536)) {
      throw new Error(`frame at ${at} has a length of ${length} in ${lengthBytes} bytes`);
    }
    const head = 2 + lengthBytes;
    const end = at + head + length;
    if (end > bytes.length) throw new Error(`frame at ${at} is cut`);
    frames.push({ opcode: first & 0x0f, payload: bytes.subarray(at + head, end), head });
    at = end;
  }
  return frames;
}
