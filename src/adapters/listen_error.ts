/** Says why an address cannot be listened on. */

import { ListenError, type ListenOptions } from "../ports/listener.ts";

/** What the runtime threw, in words for an operator. */
export function listenError(
  error: unknown,
  { hostname, port }: Pick<ListenOptions, "hostname" | "port">,
): ListenError {
  const where = `${hostname}:${port}`;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (error instanceof Deno.errors.AddrInUse || code === "EADDRINUSE") {
    return new ListenError(
      "in-use",
      `cannot listen on ${where}: another program has the port; choose one with --port, or stop it (clawgate doctor names it)`,
    );
  }
  const message = error instanceof Error ? error.message : String(error);
  // An address family that the machine does not have is told without a class of its own.
  if (
    error instanceof Deno.errors.AddrNotAvailable || code === "EADDRNOTAVAIL" ||
    /\b(EINVAL|EAFNOSUPPORT|os error (22|97))\b/.test(message)
  ) {
    return new ListenError(
      "not-available",
      `cannot listen on ${where}: this machine has no such address; choose one with --bind`,
    );
  }
  if (error instanceof Deno.errors.PermissionDenied || code === "EACCES") {
    return new ListenError(
      "not-permitted",
      `cannot listen on ${where}: not permitted; choose a port of 1024 or more with --port`,
    );
  }
  return new ListenError("other", `cannot listen on ${where}: ${message}`);
}
