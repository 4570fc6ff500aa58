/** How much a credential grants: what is asked, cut to what may be had. */

import { covers, isScope, type Role, type Scope, SCOPES } from "../core/access.ts";

/** What the shared secret grants to a remote client without a device, unless the settings say otherwise. */
const REMOTE_SCOPES: readonly Scope[] = ["operator.read", "operator.write"];

/** What a client gets that asks for nothing, unless the settings say otherwise. */
const DEFAULT_SCOPES: readonly Scope[] = ["operator.read", "operator.write"];

/** The scopes that mean something, each once, sorted. Anything else grants nothing and is left out. */
export function knownScopes(scopes: readonly string[]): readonly Scope[] {
  return [...new Set(scopes.filter(isScope))].sort();
}

/** Those of `wanted` that `held` grants, sorted. */
export function cutScopes(wanted: readonly string[], held: readonly string[]): readonly Scope[] {
  const known = knownScopes(wanted);
  return covers(held, known) ? known : known.filter((scope) => covers(held, [scope]));
}

/** Those of `wanted` that `held` does not grant, sorted. */
export function beyond(wanted: readonly string[], held: readonly string[]): readonly Scope[] {
  return knownScopes(wanted).filter((scope) => !covers(held, [scope]));
}

/** What the settings say about grants. */
export interface GrantOptions {
  readonly defaultScopes?: readonly string[];
  readonly remoteScopes?: readonly string[];
}

/**
 * The scopes that a client wants: what it asked for, or the default when it asked for nothing. A node
 * has none: its role alone says what it may do.
 */
export function wantedScopes(
  asked: { readonly role: Role; readonly scopes: readonly string[] | undefined },
  options: GrantOptions,
): readonly Scope[] {
  if (asked.role === "node") return [];
  if (asked.scopes !== undefined && asked.scopes.length > 0) return knownScopes(asked.scopes);
  return knownScopes(options.defaultScopes ?? DEFAULT_SCOPES);
}

/** The most that the shared secret grants: everything on the gateway's own host, else what the settings say. */
export function sharedCeiling(local: boolean, options: GrantOptions): readonly Scope[] {
  return local ? SCOPES : knownScopes(options.remoteScopes ?? REMOTE_SCOPES);
}
