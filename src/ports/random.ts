/** Unpredictable values. Adapters draw from the platform's cryptographic generator. */
export interface Random {
  /** A random (version 4) UUID in its lower-case text form. */
  uuid(): string;
  /** `bytes` random bytes as lower-case hex, so twice as many characters. */
  hex(bytes: number): string;
  /** A number in `[0, 1)`, for jitter; never for a secret. */
  fraction(): number;
}
