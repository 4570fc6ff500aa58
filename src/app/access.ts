/** Who may come in: the secret that counts, and the devices that were let in. */

import { Authenticator } from "../services/auth.ts";
import { Devices } from "../services/devices.ts";
import type { Hub } from "../services/hub.ts";
import type { Settings } from "../services/settings.ts";
import type { Config } from "../config.ts";
import type { GatewayParts } from "./gateway_parts.ts";
import { TENANTS } from "./tenants.ts";

/** The services that decide over access. */
export interface Access {
  readonly auth: Authenticator;
  readonly devices: Devices;
  /** Asks for the secret anew; where another one counts by now, whoever came in with the old one is told to leave. */
  checkSecret(): void;
}

/** Makes them; the secret is looked at again after each change of the settings. */
export function createAccess(
  parts: GatewayParts,
  { hub, settings }: { readonly hub: Hub; readonly settings: Settings<Config> },
): Access {
  const { store, clock, random, log, keyring } = parts;
  const options = () => settings.current.gateway.auth;
  const secrets = () => parts.secret(options());
  const checkSecret = secretWatch(secrets, () => {
    for (const tenant of TENANTS) hub.publish(tenant, { type: "secret.changed" });
  });
  settings.onChange(checkSecret);
  return {
    auth: new Authenticator({
      clock,
      options: () => ({ ...options(), ...secrets() }),
      log: log.child("access"),
    }),
    devices: new Devices({ store, clock, random, hub, keyring: { secret: keyring } }),
    checkSecret,
  };
}

/** Calls `changed` when the secret that counts is another one than before. */
function secretWatch(secrets: () => ReturnType<GatewayParts["secret"]>, changed: () => void) {
  const counting = () => {
    const { mode, ...values } = secrets();
    return values[mode];
  };
  let known = counting();
  return (): void => {
    const now = counting();
    if (now === known) return;
    known = now;
    changed();
  };
}
