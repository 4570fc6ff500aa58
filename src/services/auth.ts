/** The gateway's shared secret: who presents it rightly, and who has guessed too often. */

import type { Role, Scope } from "../core/access.ts";
import type { DeviceId } from "../core/id.ts";
import { network } from "../core/host.ts";
import { LockNotice } from "../core/lock_notice.ts";
import type { Peer } from "../core/peer.ts";
import { FailureLimiter, type FailureLimits } from "../core/rate.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { cutScopes, type GrantOptions, sharedCeiling, wantedScopes } from "./scope_grant.ts";
import { sameDigest, secretDigest } from "./secret_digest.ts";

/** Ten wrong secrets in a minute lock the source out for five minutes: 2880 guesses a day at the most. */
export const LOCK_OUT: FailureLimits = { failures: 10, windowMs: 60_000, lockMs: 300_000 };

/**
 * Programs on the gateway's own host share one source with its owner, so that a lock would let any user
 * of the host shut the owner out: after ten wrong secrets in a minute, one a second is looked at.
 */
export const LOCAL_PACE: FailureLimits = { failures: 10, windowMs: 60_000, lockMs: 1_000 };

/**
 * Whom a proxy names is believed only so far: after fifty wrong secrets in a minute, whoever they are
 * said to come from, all that comes through it is locked out, and nothing else is.
 */
export const PROXY_LOCK_OUT: FailureLimits = { failures: 50, windowMs: 60_000, lockMs: 300_000 };

/** Fewest characters, and fewest different ones, of a secret that no number of guesses finds. */
const UNGUESSABLE = { characters: 32, different: 8 } as const;

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

/** Whether a secret is too long to be guessed at any rate; one that the gateway made has 48 hex digits. */
export function isUnguessable(secret: unknown): boolean {
  return typeof secret === "string" && secret.length >= UNGUESSABLE.characters &&
    new Set(secret).size >= UNGUESSABLE.different;
}

/**
 * Checks shared secrets and counts failures per source; see {@linkcode failureSource}. A device that
 * proved its key and is paired is a source of its own, wherever it connects from.
 */
export class Authenticator {
  readonly #options: () => AuthOptions;
  readonly #failures: FailureLimiter;
  readonly #local: FailureLimiter;
  readonly #proxies: FailureLimiter;
  readonly #devices: FailureLimiter;
  readonly #notice: LockNotice;
  #digest: { readonly secret: string; readonly bytes: Promise<Uint8Array> } | undefined;

  /** `log` is told, in bounds, of who is locked out. */
  constructor(
    parts: { readonly clock: Clock; readonly options: () => AuthOptions; readonly log?: Log },
  ) {
    const now = () => parts.clock.monotonic();
    this.#options = parts.options;
    this.#failures = new FailureLimiter(now, LOCK_OUT);
    this.#local = new FailureLimiter(now, LOCAL_PACE);
    this.#proxies = new FailureLimiter(now, PROXY_LOCK_OUT);
    this.#devices = new FailureLimiter(now, LOCK_OUT);
    this.#notice = new LockNotice({
      now,
      tell: (facts) => parts.log?.write("warn", "locked out after too many wrong secrets", facts),
    });
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

  /** Milliseconds until a wrong secret of the peer is looked at again; 0: now. */
  lockedFor(peer: Peer): number {
    const source = failureSource(peer);
    if (isOwnProgram(peer)) return this.#local.lockedFor(source);
    const own = this.#failures.lockedFor(source);
    return peer.forwarded === true ? Math.max(own, this.#proxies.lockedFor(proxyOf(peer))) : own;
  }

  /**
   * Milliseconds until the right secret of the peer counts again; 0: now. As {@linkcode lockedFor},
   * except that no guessing bars a program on this host from an unguessable secret.
   */
  barredFor(peer: Peer): number {
    return isOwnProgram(peer) && this.#unguessable() ? 0 : this.lockedFor(peer);
  }

  /** Counts one wrong secret or device token. */
  failed(peer: Peer): void {
    const source = failureSource(peer);
    const { ip: address, claimedIp: claimed } = peer;
    if (isOwnProgram(peer)) {
      return this.#notice.failed(source, { lockMs: this.#local.fail(source), facts: { address } });
    }
    this.#notice.failed(source, {
      lockMs: this.#failures.fail(source),
      facts: { address, claimed, page: peer.origin },
    });
    if (peer.forwarded !== true) return;
    const proxy = proxyOf(peer);
    this.#notice.failed(proxy, { lockMs: this.#proxies.fail(proxy), facts: { proxy: address } });
  }

  /** {@linkcode lockedFor} for a paired device that proved its key. */
  deviceLockedFor(device: DeviceId): number {
    return this.#devices.lockedFor(device);
  }

  /** {@linkcode barredFor} for a paired device that proved its key and shows the shared secret. */
  deviceBarredFor(device: DeviceId): number {
    return this.#unguessable() ? 0 : this.deviceLockedFor(device);
  }

  /** Counts one wrong secret or token of a paired device that proved its key. */
  deviceFailed(device: DeviceId): void {
    this.#notice.failed(device, { lockMs: this.#devices.fail(device), facts: { device } });
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
    if (!isUsableSecret(shown)) return "mismatch";
    const [own, theirs] = await Promise.all([this.#digestOf(secret), secretDigest(shown)]);
    return sameDigest(own, theirs) ? "ok" : "mismatch";
  }

  /**
   * Whether an HTTP `Authorization: Bearer …` header carries the shared secret. A wrong one counts
   * against the source; a source that is locked out is refused whatever it shows.
   */
  async authorizeBearer(header: string | undefined, peer: Peer): Promise<BearerVerdict> {
    const barred = this.barredFor(peer);
    if (barred > 0) return { ok: false, reason: "locked", retryAfterMs: barred };
    const shown = /^bearer +(.*)$/i.exec(header?.trim() ?? "")?.[1];
    const verdict = await this.check({ token: shown, password: shown });
    // Requests that were compared at the same time may have locked the source meanwhile.
    const locked = verdict === "ok" ? this.barredFor(peer) : this.lockedFor(peer);
    if (locked > 0) return { ok: false, reason: "locked", retryAfterMs: locked };
    if (verdict === "ok") return { ok: true };
    if (verdict === "mismatch") this.failed(peer);
    return { ok: false, reason: verdict };
  }

  #unguessable(): boolean {
    const options = this.#options();
    return isUnguessable(options[options.mode]);
  }

  /** The digest of the gateway's own secret, made anew only when the secret is another. */
  #digestOf(secret: string): Promise<Uint8Array> {
    if (this.#digest?.secret !== secret) this.#digest = { secret, bytes: secretDigest(secret) };
    return this.#digest.bytes;
  }
}

/** A program on the gateway's own host that speaks to it without a proxy. */
function isOwnProgram(peer: Peer): boolean {
  return peer.local && peer.forwarded !== true && peer.origin === undefined;
}

/**
 * The name under which a peer's failures are counted: its address (of IPv6 the /64, which one host owns
 * whole), whether it is this host, came by a proxy (and for whom), or neither, and whether a browser
 * speaks. So a page, or whoever a proxy of this host lets in, does not lock out the command line.
 */
export function failureSource(peer: Peer): string {
  const { ip, local, forwarded, claimedIp, origin } = peer;
  const way = forwarded === true
    ? claimedIp === undefined ? "forwarded" : `for ${network(claimedIp)}`
    : local
    ? "local"
    : "remote";
  return `${network(ip)} ${way} ${origin === undefined ? "program" : "page"}`;
}

/** The name under which all failures through a proxy are counted. */
function proxyOf(peer: Peer): string {
  return network(peer.ip);
}
