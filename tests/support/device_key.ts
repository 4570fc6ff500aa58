/** A device for tests: it makes its own Ed25519 key and signs what a client would sign. */

import type { DeviceClaim } from "../../src/services/device_identity.ts";

/** What a device signs; the defaults are those of {@linkcode TestDevice.claim}. */
export interface Signing {
  readonly version?: "v1" | "v2" | "v3";
  readonly clientId?: string;
  readonly clientMode?: string;
  readonly role?: string;
  readonly scopes?: readonly string[];
  readonly token?: string;
  readonly platform?: string;
  readonly deviceFamily?: string;
  readonly signedAt: number;
  /** Left out of v1. */
  readonly nonce?: string;
}

/** One device with its key. */
export class TestDevice {
  readonly id: string;
  /** base64url, no padding. */
  readonly publicKey: string;
  readonly rawKey: Uint8Array<ArrayBuffer>;
  readonly #privateKey: CryptoKey;

  private constructor(parts: { id: string; rawKey: Uint8Array<ArrayBuffer>; key: CryptoKey }) {
    this.id = parts.id;
    this.rawKey = parts.rawKey;
    this.publicKey = base64Url(parts.rawKey);
    this.#privateKey = parts.key;
  }

  static async create(): Promise<TestDevice> {
    const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    if (!("publicKey" in pair)) throw new Error("no key pair");
    const rawKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
    return new TestDevice({ id: await idOf(rawKey), rawKey, key: pair.privateKey });
  }

  /** The `device` member of a connect, signed as v2 unless told otherwise. */
  async claim(signing: Signing): Promise<DeviceClaim> {
    const version = signing.version ?? (signing.nonce === undefined ? "v1" : "v2");
    const { signedAt, nonce } = signing;
    const fields = [
      version,
      this.id,
      signing.clientId ?? "test",
      signing.clientMode ?? "test",
      signing.role ?? "operator",
      (signing.scopes ?? []).join(","),
      signedAt,
      signing.token ?? "",
    ];
    if (version !== "v1") fields.push(nonce ?? "");
    if (version === "v3") fields.push(signing.platform ?? "", signing.deviceFamily ?? "");
    return {
      id: this.id,
      publicKey: this.publicKey,
      signature: await this.sign(fields.join("|")),
      signedAt,
      ...(nonce === undefined ? {} : { nonce }),
    };
  }

  /** base64url of the signature over a text. */
  async sign(text: string): Promise<string> {
    const bytes = new TextEncoder().encode(text);
    return base64Url(new Uint8Array(await crypto.subtle.sign("Ed25519", this.#privateKey, bytes)));
  }
}

/** The id of a raw key, well-formed or not. */
export async function idOf(rawKey: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", rawKey)));
}

export function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_")
    .replaceAll("=", "");
}

export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
