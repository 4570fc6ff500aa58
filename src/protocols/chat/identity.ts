/** Who a client is: what the operator's service says, or what the client says where nobody asks. */

import { Disconnect, GatewayError } from "../../core/error.ts";
import { network } from "../../core/host.ts";
import type { FailureLimiter } from "../../core/rate.ts";
import type { IdentityService } from "../../ports/identity.ts";
import type { Json } from "../../ports/store.ts";
import { TEXTS, UNAUTHENTICATED } from "./texts.ts";

/** A client as the gateway knows it. */
export interface Identity {
  readonly userId: string;
  readonly username?: string;
  /** The identity service vouches for it: nothing that a message says changes it. */
  readonly verified: boolean;
  /** Nobody vouches for it where others are vouched for: it shares nothing with them. */
  readonly guest: boolean;
  /** The id was made up here, so that nobody can come back under it. */
  readonly passing: boolean;
  /** What the service tells besides. */
  readonly profile?: Readonly<Record<string, Json>>;
}

/** How clients are identified. */
export interface AuthSettings {
  readonly enabled: boolean;
  readonly endpoint: string;
  /** In milliseconds. */
  readonly timeout: number;
  readonly required: boolean;
}

/** What a client brought along with its upgrade. */
export interface Arrival {
  /** The parameters of the URL; of two of one name the first. */
  readonly shown: Readonly<Record<string, string>>;
  readonly address: string;
}

/** What identifying is done with. */
export interface IdentityParts {
  readonly auth: AuthSettings;
  readonly service: IdentityService;
  /** Locks out who keeps showing wrong tokens. */
  readonly failures: Pick<FailureLimiter, "lockedFor" | "fail">;
  readonly newId: () => string;
  /** Whether text can be the id of a user. */
  readonly isId: (text: string) => boolean;
  readonly signal: AbortSignal;
}

/** Longest name of a client, in characters; a longer one is left out. */
const MAX_NAME_CHARS = 256;

/** Tokens that a script makes of none. */
const NO_TOKENS: ReadonlySet<string> = new Set(["", "undefined", "null", "[object object]"]);

/** Finds out who a client is; throws a {@linkcode Disconnect} where it may not come in. */
export async function identify(arrival: Arrival, parts: IdentityParts): Promise<Identity> {
  const { auth, service, failures, isId, signal } = parts;
  const { shown, address } = arrival;
  if (!auth.enabled) return unproved(shown, { parts, guest: false });
  const token = shown.token?.trim() ?? "";
  if (NO_TOKENS.has(token.toLowerCase())) {
    if (!auth.required) return unproved(shown, { parts, guest: true });
    throw turnedAway("Token required", TEXTS.tokenRequired);
  }
  const source = network(address);
  if (failures.lockedFor(source) > 0) return refused("too_many_attempts", { shown, parts });
  const { endpoint, timeout: timeoutMs } = auth;
  const question = {
    endpoint,
    timeoutMs,
    shown: { ...shown, tokenType: shown.tokenType ?? "local" },
  };
  const answer = await service.verify(question, signal);
  // Whoever guesses many at once learns nothing from those that are answered behind the lock.
  const late = failures.lockedFor(source) > 0;
  if (!late && answer.ok && isId(answer.userId)) {
    const { userId, username, avatar, extra } = answer;
    const profile = {
      ...(avatar === undefined ? {} : { avatar }),
      ...(extra === undefined ? {} : { extra }),
    };
    return {
      userId,
      ...(username === undefined ? {} : { username }),
      verified: true,
      guest: false,
      passing: false,
      ...(Object.keys(profile).length === 0 ? {} : { profile }),
    };
  }
  if (late) return refused("too_many_attempts", { shown, parts });
  if (answer.ok || answer.refused) failures.fail(source);
  return refused(answer.ok ? "auth_failed" : answer.code, { shown, parts });
}

function refused(
  code: string,
  { shown, parts }: { readonly shown: Arrival["shown"]; readonly parts: IdentityParts },
): Identity {
  if (!parts.auth.required) return unproved(shown, { parts, guest: true });
  throw turnedAway("Authentication failed", `Authentication failed: ${code}`);
}

/**
 * Whether an identity would be let in as what it is under these settings, which may have changed since: one that
 * nobody was asked for does not count where the service is asked, nor a guest where a token is required.
 */
export function stillCounts(
  { verified, guest }: Identity,
  { enabled, required }: Pick<AuthSettings, "enabled" | "required">,
): boolean {
  return verified || !enabled || guest && !required;
}

/** Ends the connection of a client that has to say anew who it is. */
export function identityVoid(): Disconnect {
  return turnedAway("Token required", TEXTS.tokenRequired);
}

/** Who the client says that it is, else somebody nobody has seen. */
function unproved(
  { senderId, senderName }: Arrival["shown"],
  { parts, guest }: { readonly parts: IdentityParts; readonly guest: boolean },
): Identity {
  const named = senderId !== undefined && senderId !== "";
  if (named && !parts.isId(senderId)) {
    throw turnedAway(
      "Invalid senderId",
      "Invalid senderId: it is too long or cannot be read",
      1008,
    );
  }
  const name = senderName !== undefined && senderName !== "" &&
      senderName.length <= MAX_NAME_CHARS && senderName.isWellFormed()
    ? senderName
    : undefined;
  return {
    userId: named ? senderId : parts.newId(),
    ...(name === undefined ? {} : { username: name }),
    verified: false,
    guest,
    passing: !named,
  };
}

function turnedAway(reason: string, text: string, code: number = UNAUTHENTICATED): Disconnect {
  return new Disconnect(code, reason, new GatewayError("INVALID_REQUEST", text));
}
