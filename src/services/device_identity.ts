/**
 * Proof that a client holds the Ed25519 key that its device id is the digest of. Pure: the challenge,
 * the time and what was signed are given, nothing is remembered.
 */

import { sha256Hex, toHex } from "../core/digest.ts";
import { type DeviceId, isDeviceId } from "../core/id.ts";

/** How far a signature's time may be from the gateway's, in milliseconds, either way. Source: the reference gateway. */
export const MAX_SIGNATURE_SKEW_MS = 600_000;

/** What a client says of its device, as it came. */
export interface DeviceClaim {
  readonly id: string;
  /** 32 raw bytes as base64url or base64, padded or not, or a PEM `PUBLIC KEY`. */
  readonly publicKey: string;
  /** 64 raw bytes, encoded as the key may be. */
  readonly signature: string;
  /** Milliseconds since the epoch. */
  readonly signedAt: number;
  /** The nonce of this connection's challenge; absent when the client did not wait for it. */
  readonly nonce?: string;
}

/** What else the signature covers, exactly as the client sent it. */
export interface SignedConnect {
  readonly clientId: string;
  readonly clientMode: string;
  readonly role: string;
  readonly scopes: readonly string[];
  /** The token that was sent, or the empty text. */
  readonly token: string;
  readonly platform: string;
  readonly deviceFamily: string;
}

/** Against what a claim is checked. */
export interface IdentityCheck {
  readonly signed: SignedConnect;
  /** The nonce that this connection, and no other, was challenged with. */
  readonly challenge: string;
  /** Only a client on the gateway's own host may leave out the nonce. */
  readonly local: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Why a claim was refused. The last three are faults of the key itself. */
export type IdentityFault =
  | "id-mismatch"
  | "expired"
  | "nonce-required"
  | "nonce-mismatch"
  | "signature"
  | "key-length"
  | "key-non-canonical"
  | "key-small-order";

/** The outcome of {@linkcode verifyDevice}; `publicKey` is base64url without padding. */
export type IdentityVerdict =
  | { readonly ok: true; readonly deviceId: DeviceId; readonly publicKey: string }
  | { readonly ok: false; readonly fault: IdentityFault };

/**
 * Checks a claim, in this order: id, time, nonce, key, signature. With a nonce the newest payload (v3)
 * is tried, then v2; without one only v1 can match.
 */
export async function verifyDevice(
  claim: DeviceClaim,
  check: IdentityCheck,
): Promise<IdentityVerdict> {
  const key = decodeKey(claim.publicKey);
  const id = key === undefined ? "" : await sha256Hex(key);
  if (key === undefined || id !== claim.id || !isDeviceId(id)) return refused("id-mismatch");
  if (!(Math.abs(check.now - claim.signedAt) <= MAX_SIGNATURE_SKEW_MS)) return refused("expired");
  if (claim.nonce === undefined && !check.local) return refused("nonce-required");
  if (claim.nonce !== undefined && claim.nonce !== check.challenge) {
    return refused("nonce-mismatch");
  }
  const fault = keyFault(key);
  if (fault !== undefined) return refused(fault);
  const signature = decodeBase64(claim.signature);
  if (signature === undefined || signature.length !== SIGNATURE_BYTES) return refused("signature");
  for (const payload of payloads(claim, check.signed)) {
    if (await signedBy(key, signature, payload)) {
      return { ok: true, deviceId: id, publicKey: encodeBase64Url(key) };
    }
  }
  return refused("signature");
}

const SIGNATURE_BYTES = 64;
const KEY_BYTES = 32;

/** The DER head of an Ed25519 public key in a PEM block. Source: RFC 8410, section 4. */
const SPKI_HEAD = "302a300506032b6570032100";

function refused(fault: IdentityFault): IdentityVerdict {
  return { ok: false, fault };
}

/** The texts that the signature may cover, the one to try first in front. */
function payloads(claim: DeviceClaim, signed: SignedConnect): readonly string[] {
  const body = [
    claim.id,
    signed.clientId,
    signed.clientMode,
    signed.role,
    signed.scopes.join(","),
    String(claim.signedAt),
    signed.token,
  ];
  if (claim.nonce === undefined) return [["v1", ...body].join("|")];
  const host = [signed.platform.toLowerCase(), signed.deviceFamily.toLowerCase()];
  return [
    ["v3", ...body, claim.nonce, ...host].join("|"),
    ["v2", ...body, claim.nonce].join("|"),
  ];
}

async function signedBy(
  key: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
  payload: string,
): Promise<boolean> {
  try {
    const imported = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify(
      "Ed25519",
      imported,
      signature,
      new TextEncoder().encode(payload),
    );
  } catch {
    // The bytes are no point of the curve.
    return false;
  }
}

/** The field prime, 2^255 - 19. */
const PRIME = 2n ** 255n - 19n;

/** The y coordinate of two of the four points of order 8; the other two have its negative. */
const ORDER_8_Y = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;

/**
 * The y coordinates of the points whose order divides 8. A verifier accepts signatures that anybody can
 * make for them.
 */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  PRIME - 1n,
  ORDER_8_Y,
  PRIME - ORDER_8_Y,
]);

function keyFault(key: Uint8Array): IdentityFault | undefined {
  if (key.length !== KEY_BYTES) return "key-length";
  // Little-endian; the top bit is the sign of x, which plays no part.
  const y = BigInt(`0x${toHex(key.toReversed())}`) & (2n ** 255n - 1n);
  if (y >= PRIME) return "key-non-canonical";
  return SMALL_ORDER_Y.has(y) ? "key-small-order" : undefined;
}

function decodeKey(text: string): Uint8Array<ArrayBuffer> | undefined {
  const pem = /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/
    .exec(text);
  if (pem === null) return decodeBase64(text);
  const der = decodeBase64((pem[1] ?? "").replace(/\s+/g, ""));
  const head = SPKI_HEAD.length / 2;
  if (der === undefined || toHex(der.subarray(0, head)) !== SPKI_HEAD) return undefined;
  return der.slice(head);
}

/** Both alphabets, padding optional; undefined for anything else. */
function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) return undefined;
  try {
    const plain = text.replace(/=+$/, "").replaceAll("-", "+").replaceAll("_", "/");
    return Uint8Array.from(atob(plain), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function encodeBase64Url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
