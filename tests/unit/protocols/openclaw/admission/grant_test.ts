import assert from "node:assert/strict";
import { SCOPES } from "../../../../../src/core/access.ts";
import { DEFAULT_TENANT } from "../../../../../src/core/id.ts";
import type { Peer } from "../../../../../src/core/peer.ts";
import type { AuthOptions } from "../../../../../src/services/auth.ts";
import {
  ALL,
  connect,
  CONNECTION,
  gateway,
  LOCAL,
  READ_WRITE,
  REMOTE,
  signed,
  TOKEN,
} from "../../../../support/admission_stage.ts";
import { TestDevice } from "../../../../support/device_key.ts";

interface GrantRow {
  readonly name: string;
  readonly peer: Peer;
  readonly device: boolean;
  readonly role?: string;
  readonly asked: readonly string[] | undefined;
  readonly options?: Partial<AuthOptions>;
  readonly granted: readonly string[];
}

const GRANTS: readonly GrantRow[] = [
  {
    name: "a program here that asks for all",
    peer: LOCAL,
    device: false,
    asked: SCOPES,
    granted: ALL,
  },
  {
    name: "a program here that asks for none",
    peer: LOCAL,
    device: false,
    asked: [],
    granted: READ_WRITE,
  },
  {
    name: "a program here that says nothing",
    peer: LOCAL,
    device: false,
    asked: undefined,
    granted: READ_WRITE,
  },
  {
    name: "a program here where the settings grant admin unasked",
    peer: LOCAL,
    device: false,
    asked: [],
    options: { defaultScopes: ["operator.admin"] },
    granted: ["operator.admin"],
  },
  {
    name: "a program from afar where the settings grant admin unasked",
    peer: REMOTE,
    device: false,
    asked: [],
    options: { defaultScopes: ["operator.admin"] },
    granted: [],
  },
  {
    name: "a program from afar that asks for all",
    peer: REMOTE,
    device: false,
    asked: SCOPES,
    granted: READ_WRITE,
  },
  {
    name: "a program from afar that asks for admin",
    peer: REMOTE,
    device: false,
    asked: ["operator.admin"],
    granted: [],
  },
  {
    name: "a program from afar that asks for none",
    peer: REMOTE,
    device: false,
    asked: [],
    granted: READ_WRITE,
  },
  {
    name: "a program from afar that the settings trust with pairing",
    peer: REMOTE,
    device: false,
    asked: SCOPES,
    options: { remoteScopes: ["operator.pairing"] },
    granted: ["operator.pairing"],
  },
  {
    name: "made-up scopes",
    peer: LOCAL,
    device: false,
    asked: ["root", "operator.*", "OPERATOR.ADMIN"],
    granted: [],
  },
  {
    name: "a device here that asks for all",
    peer: LOCAL,
    device: true,
    asked: SCOPES,
    granted: ALL,
  },
  {
    name: "a device here that asks for none",
    peer: LOCAL,
    device: true,
    asked: [],
    granted: READ_WRITE,
  },
  {
    name: "a node with a device that asks for admin",
    peer: LOCAL,
    device: true,
    role: "node",
    asked: ["operator.admin"],
    granted: [],
  },
  {
    name: "a node here without a device",
    peer: LOCAL,
    device: false,
    role: "node",
    asked: undefined,
    granted: [],
  },
];

for (const row of GRANTS) {
  Deno.test(`granted: ${row.name}`, async () => {
    const g = gateway(row.options);
    const { role = "operator", asked } = row;
    const wish = { token: TOKEN, role, ...(asked === undefined ? {} : { scopes: asked }) };
    const device = await TestDevice.create();
    const params = row.device
      ? await signed(device, { ...wish, at: g.clock.now() })
      : connect(wish);
    const { principal, auth } = await g.admitting(params, { peer: row.peer });
    assert.deepEqual(principal, {
      tenant: DEFAULT_TENANT,
      role,
      scopes: row.granted,
      connection: CONNECTION,
      credential: "shared",
      subject: row.device ? `device:${device.id}` : "shared",
      local: row.peer.local,
      ...(row.device ? { device: device.id } : {}),
    });
    assert.equal(auth === undefined, !row.device);
  });
}
