/** Puts a device that asks to be paired into a gateway's database. */

import { openSqliteStore } from "../../../src/adapters/sqlite_store.ts";
import { systemClock } from "../../../src/adapters/system_clock.ts";
import { systemRandom } from "../../../src/adapters/system_random.ts";
import { checked, DEFAULT_TENANT, isDeviceId } from "../../../src/core/id.ts";
import { Devices } from "../../../src/services/devices.ts";
import { Hub } from "../../../src/services/hub.ts";

/** Asks for read and write in the name of the device whose id is `digit` 64 times; returns the request's id. */
export async function requestPairing(database: string, digit: string): Promise<string> {
  const store = openSqliteStore({ path: database });
  try {
    const devices = new Devices({
      store,
      clock: systemClock,
      random: systemRandom,
      hub: new Hub(),
      keyring: { secret: systemRandom.hex(32) },
    });
    const enrolment = await devices.enrol(DEFAULT_TENANT, {
      deviceId: checked(digit.repeat(64), isDeviceId),
      publicKey: "key",
      role: "operator",
      scopes: ["operator.read", "operator.write"],
      about: { displayName: "Phone", platform: "test" },
    }, { silent: false });
    if (enrolment.status !== "pending") throw new Error("the device was paired at once");
    return enrolment.request.requestId;
  } finally {
    await store.close();
  }
}
