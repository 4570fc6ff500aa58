/** What a client says of itself in its first call, and what it was told to say there. */

import { type GatewayClientOptions, OPERATOR_SCOPES, PROTOCOL_VERSION } from "./client_options.ts";

/** The parameters of `connect`; `device` is the proof of a device, where there is one. */
export function connectParams(
  options: GatewayClientOptions,
  device: Readonly<Record<string, unknown>> | undefined,
): Readonly<Record<string, unknown>> {
  const { token, password } = options;
  const role = options.role ?? "operator";
  const auth = {
    ...(token === undefined ? {} : { token }),
    ...(password === undefined ? {} : { password }),
  };
  return {
    minProtocol: PROTOCOL_VERSION,
    maxProtocol: PROTOCOL_VERSION,
    client: { id: "cli", version: "0.0.0", platform: "web", mode: "cli", ...options.client },
    role,
    scopes: options.scopes ?? (role === "operator" ? OPERATOR_SCOPES : []),
    ...(options.caps === undefined ? {} : { caps: options.caps }),
    ...(Object.keys(auth).length === 0 ? {} : { auth }),
    ...(device === undefined ? {} : { device }),
  };
}

/** The nonce of a challenge; undefined where it has none. */
export function nonceOf(payload: unknown): string | undefined {
  return typeof payload === "object" && payload !== null && "nonce" in payload &&
      typeof payload.nonce === "string"
    ? payload.nonce
    : undefined;
}
