/** The gateway's shared secret: who presents it rightly, and who has guessed too often. */

import type { Role, Scope } from "../core/access.ts";
import type { Peer } from "../core/peer.ts";
import { FailureLimiter, type FailureLimits } from "../core/rate.ts";
import type { Clock } from "../ports/clock.ts";
import { cutScopes, type GrantOptions, sharedCeiling, wantedScopes } from "./scope_grant.ts";
import { sameSecret } from "./secret_digest.ts";

/** Ten wrong secrets in a minute lock the source out for five minutes: 2880 guesses a day at the most. */
export const LOCK_OUT: FailureLimits = { failures: 10, windowMs: 60_000, lockMs: 300_000 };

/** What the settings say about access, read anew for each check. */
export interface AuthOptions extends GrantOptions {
  /** Which of the two secrets counts. */
  readonly mode: "token" | "password";
  readonly token?: unknown;
  readonly password?: unknown;
}

/** What a client presents. */
export interface PresentedSecrets {
  readonly token?: unknown;
  readonly password?: unknown;
}

/** What a client asks to be; absent scopes: whatever the settings give by default. */
export interface AskedScopes {
  readonly role: Role;
  readonly scopes: readonly string[] | undefined;
}

/**
 * What a presented secret is worth. `unconfigured`: the gateway has no usable secret of its own, so
 * that nothing can match.
 */
export type SecretVerdict = "ok" | "missing" | "mismatch" | "unconfigured";

/** Whether an HTTP request may pass. `locked` carries how long, in milliseconds. */
export type BearerVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: "missing" | "mismatch" | "unconfigured" }
  | { readonly ok: false; readonly reason: "locked"; readonly retryAfterMs: number };

/** Texts that a program writes for a value that it does not have; never a secret. */
const NO_SECRET: ReadonlySet<string> = new Set(["", "undefined", "null", "nan", "[object object]"]);

/** Whether a value can serve as a secret: a text that is neither blank nor the name of nothing. */
export function isUsableSecret(value: unknown): value is string {
  return typeof value === "string" && !NO_SECRET.has(value.trim().toLowerCase());
}

/**
 * Checks shared secrets and counts failures per source. A source is an address (of IPv6 its /64, which
 * one host owns whole) together with whether a browser speaks: a page that guesses on the gateway's own
 * host does not lock out the command line.
 */
export class Authenticator {
  readonly #options: () => AuthOptions;
  readonly #failures: FailureLimiter;

  constructor(parts: { readonly clock: Clock; readonly options: () => AuthOptions }) {
    this.#options = parts.options;
    this.#failures = new FailureLimiter(() => parts.clock.monotonic(), LOCK_OUT);
  }

  /** The settings as they are now. */
  get options(): AuthOptions {
    return this.#options();
  }

  /** The scopes that a client wants; see {@linkcode wantedScopes}. */
  wanted(asked: AskedScopes): readonly Scope[] {
    return wantedScopes(asked, this.#options());
  }

  /** Those of them that the shared secret alone grants, to a client on this host or elsewhere. */
  granted(asked: AskedScopes, local: boolean): readonly Scope[] {
    return cutScopes(this.wanted(asked), sharedCeiling(local, this.#options()));
  }

  /** Milliseconds until the peer may try again; 0 when it may now. */
  lockedFor(peer: Peer): number {
    return this.#failures.lockedFor(failureSource(peer));
  }

  /** Counts one wrong secret or device token. */
  failed(peer: Peer): void {
    this.#failures.fail(failureSource(peer));
  }

  /**
   * Compares what was presented with the secret of the configured mode; the other one is not looked at.
   * Counts nothing and does not ask whether the peer is locked out: the caller knows what else may
   * still admit the client.
   */
  async check(presented: PresentedSecrets): Promise<SecretVerdict> {
    const options = this.#options();
    const secret = options[options.mode];
    const shown = presented[options.mode];
    if (!isUsableSecret(secret)) return "unconfigured";
    if (typeof shown !== "string" || shown.trim() === "") return "missing";
    return isUsableSecret(shown) && await sameSecret(shown, secret) ? "ok" : "mismatch";
  }

  /**
   * Whether an HTTP `Authorization: Bearer …` header carries the shared secret. A wrong one counts
   * against the source; a source that is locked out is refused whatever it shows.
   */
  async authorizeBearer(header: string | undefined, peer: Peer): Promise<BearerVerdict> {
    const locked = this.lockedFor(peer);
    if (locked > 0) return { ok: false, reason: "locked", retryAfterMs: locked };
    const shown = /^bearer +(.*)$/i.exec(header?.trim() ?? "")?.[1];
    const verdict = await this.check({ token: shown, password: shown });
    // Requests that were compared at the same time may have locked the source meanwhile.
    const lockedMeanwhile = this.lockedFor(peer);
    if (lockedMeanwhile > 0) return { ok: false, reason: "locked", retryAfterMs: lockedMeanwhile };
    if (verdict === "ok") return { ok: true };
    if (verdict === "mismatch") this.failed(peer);
    return { ok: false, reason: verdict };
  }
}

/** The name under which a peer's failures are counted. */
export function failureSource(peer: Peer): string {
  return `${network(peer.ip.toLowerCase())} ${peer.origin === undefined ? "program" : "page"}`;
}

/** An IPv4 address as it is, also when mapped into IPv6; of IPv6 the first four groups. */
function network(ip: string): string {
  const mapped = /^[0:]*:ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(ip)?.[1];
  if (mapped !== undefined) return mapped;
  if (!ip.includes(":")) return ip;
  const [head = "", tail] = ip.replace(/%.*$/, "").split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const gap = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...new Array<string>(gap).fill("0"), ...back];
  return groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":");
}
