/** Why a `connect` was refused, in the words that clients know. */

import { Disconnect, type ErrorExtras, GatewayError } from "../../core/error.ts";
import { cutToBytes } from "../../core/quote.ts";
import type { SecretVerdict } from "../../services/auth.ts";
import type { IdentityFault } from "../../services/device_identity.ts";
import type { ConnectParams } from "./connect_params.ts";

/** Longest reason of the close that follows a refusal, in bytes. Source: the reference gateway. */
const MAX_REFUSAL_REASON_BYTES = 120;

/** Answers with `INVALID_REQUEST` and closes with 1008. */
export function refusal(message: string, extras: ErrorExtras = {}): Disconnect {
  return ended(new GatewayError("INVALID_REQUEST", message, extras));
}

/** Answers with `NOT_PAIRED` and closes with 1008. */
export function notPaired(message: string, extras: ErrorExtras = {}): Disconnect {
  return ended(new GatewayError("NOT_PAIRED", message, extras));
}

/** Too many wrong secrets came from there. */
export function lockedOut(
  retryAfterMs: number,
  source: "address" | "device" = "address",
): Disconnect {
  const seconds = Math.ceil(retryAfterMs / 1000);
  return refusal(
    `unauthorized: too many failed attempts from this ${source} (try again in ${seconds} s)`,
    { retryable: true, retryAfterMs: Math.ceil(retryAfterMs) },
  );
}

/** The secret was not the right one; in brackets, what the user of this client can do about it. */
export function unauthorized(
  verdict: Exclude<SecretVerdict, "ok">,
  context: { readonly mode: "token" | "password"; readonly client: ConnectParams["client"] },
): Disconnect {
  const { mode, client } = context;
  if (verdict === "unconfigured") {
    const advice = `set gateway.auth.${mode}`;
    return refusal(`unauthorized: gateway ${mode} not configured on gateway (${advice})`);
  }
  return refusal(`unauthorized: gateway ${mode} ${verdict} (${hint(mode, client)})`);
}

/** The claim of a device did not hold. `details.code` and `details.reason` tell the faults apart. */
export function unproven(fault: IdentityFault): Disconnect {
  const { message, code, reason } = FAULTS[fault];
  return refusal(message, { details: { code, reason } });
}

/** Whether the client is a page that the gateway itself serves or that shows a chat. */
export function isPage(client: ConnectParams["client"]): boolean {
  return client.id === CONTROL_UI || client.id === "webchat-ui" || client.mode === "webchat";
}

/** The id of the dashboard. */
export const CONTROL_UI = "openclaw-control-ui";

function hint(mode: "token" | "password", client: ConnectParams["client"]): string {
  if (client.mode === "cli") return `set gateway.remote.${mode} to match gateway.auth.${mode}`;
  if (!isPage(client)) return `provide gateway auth ${mode}`;
  return mode === "token"
    ? "open a tokenized dashboard URL or paste token in Control UI settings"
    : "enter the password in Control UI settings";
}

function ended(answer: GatewayError): Disconnect {
  return new Disconnect(1008, cutToBytes(answer.message, MAX_REFUSAL_REASON_BYTES), answer);
}

interface FaultText {
  readonly message: string;
  readonly code: string;
  readonly reason: string;
}

/** The messages are those of protocol 3; codes and reasons those by which newer clients tell them apart. */
const FAULTS: Readonly<Record<IdentityFault, FaultText>> = {
  "id-mismatch": {
    message: "device identity mismatch",
    code: "DEVICE_AUTH_DEVICE_ID_MISMATCH",
    reason: "device-id-mismatch",
  },
  expired: {
    message: "device signature expired",
    code: "DEVICE_AUTH_SIGNATURE_EXPIRED",
    reason: "device-signature-stale",
  },
  "nonce-required": {
    message: "device nonce required",
    code: "DEVICE_AUTH_NONCE_REQUIRED",
    reason: "device-nonce-missing",
  },
  "nonce-mismatch": {
    message: "device nonce mismatch",
    code: "DEVICE_AUTH_NONCE_MISMATCH",
    reason: "device-nonce-mismatch",
  },
  signature: {
    message: "device signature invalid",
    code: "DEVICE_AUTH_SIGNATURE_INVALID",
    reason: "device-signature",
  },
  "key-length": {
    message: "device signature invalid",
    code: "DEVICE_AUTH_PUBLIC_KEY_INVALID",
    reason: "device-public-key-length",
  },
  "key-non-canonical": {
    message: "device signature invalid",
    code: "DEVICE_AUTH_PUBLIC_KEY_INVALID",
    reason: "device-public-key-non-canonical",
  },
  "key-small-order": {
    message: "device signature invalid",
    code: "DEVICE_AUTH_PUBLIC_KEY_INVALID",
    reason: "device-public-key-small-order",
  },
};
