/** `device.*`: who is paired, who asks to be, and the tokens of devices. */

import * as v from "valibot";
import type { Method } from "../../../core/method.ts";
import type { Approver, PairedDevice, PendingDevice } from "../../../services/devices.ts";
import { method, type OpenClawContext } from "../context.ts";
import { nothing, text } from "../params.ts";

const PAIRING = { role: "operator", scope: "operator.pairing" } as const;

/** Most scopes in a call; the gateway knows five. */
const MAX_SCOPES = 64;

const optionalText = v.optional(v.string());
const optionalTime = v.optional(v.number());
const texts = v.array(v.string());

const Token = v.object({
  role: v.string(),
  scopes: texts,
  createdAtMs: v.number(),
  rotatedAtMs: optionalTime,
  revokedAtMs: optionalTime,
  lastUsedAtMs: optionalTime,
});

const about = {
  deviceId: v.string(),
  publicKey: v.string(),
  displayName: optionalText,
  platform: optionalText,
  clientId: optionalText,
  clientMode: optionalText,
  role: optionalText,
  roles: v.optional(texts),
  scopes: v.optional(texts),
  remoteIp: optionalText,
};

const Pending = v.object({
  requestId: v.string(),
  ...about,
  silent: v.optional(v.boolean()),
  isRepair: v.optional(v.boolean()),
  ts: v.number(),
});

const Paired = v.object({
  ...about,
  tokens: v.optional(v.record(v.string(), Token)),
  createdAtMs: v.number(),
  approvedAtMs: v.number(),
});

const RequestName = v.strictObject({ requestId: text });

/** The methods of this group. */
export const deviceMethods: readonly Method<OpenClawContext>[] = [
  method({
    name: "device.pair.list",
    access: PAIRING,
    summary: "The devices that ask to be paired and those that are; tokens by their facts alone.",
    params: nothing,
    result: v.object({
      pending: v.array(Pending),
      paired: v.array(v.object({ ...Paired.entries, tokens: v.optional(v.array(Token)) })),
    }),
    handler: async (_params, { devices, principal }) => {
      const { pending, paired } = await devices.list(principal.tenant);
      return {
        pending: pending.map(pendingShape),
        paired: paired.map((device) => ({ ...pairedShape(device), tokens: tokenShapes(device) })),
      };
    },
  }),
  method({
    name: "device.pair.approve",
    access: PAIRING,
    summary: "Pairs the device of a request, which may not ask for more than the caller has.",
    params: RequestName,
    result: v.object({ requestId: v.string(), device: Paired }),
    handler: async ({ requestId }, context) => {
      const { devices, principal } = context;
      const { device } = await devices.approve(principal.tenant, requestId, principal);
      const tokens = Object.fromEntries(tokenShapes(device).map((token) => [token.role, token]));
      return { requestId, device: { ...pairedShape(device), tokens } };
    },
  }),
  method({
    name: "device.pair.reject",
    access: PAIRING,
    summary: "Turns a request down.",
    params: RequestName,
    result: v.object({ requestId: v.string(), deviceId: v.string() }),
    handler: ({ requestId }, { devices, principal }) => devices.reject(principal.tenant, requestId),
  }),
  method({
    name: "device.token.rotate",
    access: PAIRING,
    summary: "Replaces a device's token and ends what used the old one; never beyond the caller.",
    params: v.strictObject({
      deviceId: text,
      role: text,
      scopes: v.optional(v.pipe(v.array(text), v.maxLength(MAX_SCOPES))),
    }),
    result: v.object({
      deviceId: v.string(),
      role: v.string(),
      token: v.string(),
      scopes: texts,
      rotatedAtMs: v.number(),
    }),
    handler: async (params, context) => {
      const { devices, principal } = context;
      const rotated = await devices.rotateToken(
        principal.tenant,
        params,
        approver(params, context),
      );
      const { deviceId, role, token, scopes, issuedAtMs } = rotated;
      return { deviceId, role, token, scopes: [...scopes], rotatedAtMs: issuedAtMs };
    },
  }),
  method({
    name: "device.token.revoke",
    access: PAIRING,
    summary: "Takes a device's token away and ends its connections in that role.",
    params: v.strictObject({ deviceId: text, role: text }),
    result: v.object({ deviceId: v.string(), role: v.string(), revokedAtMs: v.number() }),
    handler: (params, context) =>
      context.devices.revokeToken(context.principal.tenant, params, approver(params, context)),
  }),
];

/** The caller as the one who decides; whoever ends its own connection gets its answer first. */
function approver(
  token: { readonly deviceId: string; readonly role: string },
  { principal, call }: OpenClawContext,
): Approver {
  const { scopes, device } = principal;
  const own = device === token.deviceId && principal.role === token.role;
  return own ? { scopes, device, defer: (task) => call.afterAnswer(task) } : { scopes, device };
}

function pendingShape(request: PendingDevice) {
  return { ...request, roles: [...request.roles], scopes: [...request.scopes] };
}

function pairedShape(device: PairedDevice) {
  const { tokens: _tokens, roles, scopes, ...rest } = device;
  return { ...rest, roles: [...roles], scopes: [...scopes] };
}

function tokenShapes(device: PairedDevice) {
  return device.tokens.map((token) => ({ ...token, scopes: [...token.scopes] }));
}
