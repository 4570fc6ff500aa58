/** Says why an address cannot be listened on. */

import { ListenError, type ListenOptions, type Remedy } from "../ports/listener.ts";

/** The gateway's own port. */
const FLAGS: Remedy = { port: "--port", address: "--bind" };

/** What the runtime threw, in words for an operator. */
export function listenError(
  error: unknown,
  { hostname, port, remedy = FLAGS }: Pick<ListenOptions, "hostname" | "port" | "remedy">,
): ListenError {
  const where = `${hostname}:${port}`;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (error instanceof Deno.errors.AddrInUse || code === "EADDRINUSE") {
    return new ListenError(
      "in-use",
      `cannot listen on ${where}: another program has the port; choose one with ${remedy.port}, or stop it (clawgate doctor names it)`,
    );
  }
  const message = error instanceof Error ? error.message : String(error);
  // An address family that the machine does not have, and a name that leads nowhere, are told without a class of
  // their own.
  if (
    error instanceof Deno.errors.AddrNotAvailable || code === "EADDRNOTAVAIL" ||
    /\b(EINVAL|EAFNOSUPPORT|ENOTFOUND|os error (22|97)|lookup address information)\b/.test(message)
  ) {
    return new ListenError(
      "not-available",
      `cannot listen on ${where}: this machine has no such address; choose one with ${remedy.address}`,
    );
  }
  if (error instanceof Deno.errors.PermissionDenied || code === "EACCES") {
    return new ListenError(
      "not-permitted",
      `cannot listen on ${where}: not permitted; choose a port of 1024 or more with ${remedy.port}`,
    );
  }
  return new ListenError("other", `cannot listen on ${where}: ${message}`);
}
