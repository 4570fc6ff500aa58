/** Finds a method, asks whether the caller may use it, and runs it. */

import { type Access, permits, type Principal } from "./access.ts";
import { invalidRequest } from "./error.ts";
import type { MethodTable } from "./method.ts";
import { quote } from "./quote.ts";

/** What a dispatcher must know of who calls. */
export type Caller = Pick<Principal, "role" | "scopes">;

/** A call as it comes from a wire. */
export interface MethodCall {
  readonly method: string;
  readonly params: unknown;
  readonly principal: Caller;
}

/** Runs one call; returns the answer or a promise of it; throws what `core/error.ts` defines. */
export type Dispatch<Context> = (call: MethodCall, context: Context) => unknown;

/**
 * The dispatcher of a method table. Access is decided before the name is looked up, so that a caller
 * without rights cannot learn which methods exist: a node is told `unauthorized role: node`, an
 * operator `missing scope: …`, and only a caller with every scope `unknown method: …`.
 */
export function createDispatch<Context>(table: MethodTable<Context>): Dispatch<Context> {
  return (call, context) => {
    const entry = table.get(call.method);
    const access = entry?.access ?? UNKNOWN_METHOD_ACCESS;
    if (!permits(access, call.principal)) throw refusal(access, call.principal);
    if (entry === undefined) throw invalidRequest(`unknown method: ${quoted(call.method)}`);
    return entry.run(call.params, context);
  };
}

/** What asking for a method that does not exist requires. */
const UNKNOWN_METHOD_ACCESS: Access = { role: "operator", scope: "operator.admin" };

function refusal(access: Access, principal: Caller): Error {
  return access.role !== principal.role
    ? invalidRequest(`unauthorized role: ${principal.role}`)
    : invalidRequest(`missing scope: ${access.scope}`);
}

/** A plain name stands as it is, as clients compare the text; anything else is quoted. */
function quoted(method: string): string {
  return /^[\w.\-]{1,128}$/.test(method) ? method : quote(method, 128);
}
