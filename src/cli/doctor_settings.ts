/** The doctor's checks of what becomes of the settings: in the running gateway, and of what they refer to. */

import { broken, type Diagnosis, fine, warning } from "./doctor_finding.ts";
import { checkProviders } from "./doctor_providers.ts";
import type { Invocation } from "./gateway_access.ts";
import type { HostState } from "./host_state.ts";
import { askRunningSettings } from "./running_settings.ts";

/** Settings files beside the one that counts. */
export function checkPassedOver({ paths }: Pick<HostState, "paths">): readonly Diagnosis[] {
  return paths.passedOver.map((path) =>
    warning(
      "settings",
      `${path} is not read, as ${paths.config} is`,
      "keep one of them: move what you need into the one and remove the other",
    )
  );
}

/** That the secret cannot be known here, as the gateway's environment has it; else undefined. */
export function checkUnknownSecret(
  { secret, settings }: Pick<HostState, "secret" | "settings">,
): Diagnosis | undefined {
  const { unset } = settings.config.gateway.auth;
  if (settings.issues.length > 0) {
    return secret?.source === "environment" ? undefined : warning(
      "secret",
      "not looked at, as the settings cannot be used",
      "mend them, then run doctor again",
    );
  }
  if (secret !== undefined || unset === undefined) return undefined;
  return warning(
    "secret",
    `gateway.auth.${unset.join(", gateway.auth.")} refers to a variable that is not set in this ` +
      "shell, so it is not known here",
    "set the variable here too, or give commands the secret with --token or --password",
  );
}

/**
 * Whether the running gateway uses the file, and the models and providers of the file. Of settings that
 * cannot be used no model is told: they are neither in effect nor what the owner means.
 */
export async function checkInEffect(
  invocation: Invocation,
  state: HostState,
  options: { readonly probe: boolean },
): Promise<readonly Diagnosis[]> {
  const { paths, settings } = state;
  const running = await askRunningSettings(invocation, state);
  const edit = `edit ${paths.config}`;
  const earlier = "the settings from before it was changed stay in effect";
  const refused = running?.refused ?? [];
  const found: Diagnosis[] = refused.map(({ path, message }) =>
    broken(
      "settings",
      `the running gateway does not use ${paths.config}: ${
        `${path} ${message}`.trim()
      }; ${earlier}`,
      edit,
    )
  );
  if (settings.issues.length > 0) {
    // The issues themselves have been told, as the file has them.
    found.splice(0);
    if (refused.length > 0) {
      const message = `the running gateway does not use ${paths.config}; ${earlier}`;
      found.push(warning("settings", message, edit));
    }
    found.push(warning(
      "model",
      "models and providers were not looked at, as the settings cannot be used",
      "mend them, then run doctor again",
    ));
    return found;
  }
  // Of settings that it does not use, the gateway tells nothing.
  const there = running === undefined || running.refused.length > 0 ? undefined : running.disabled;
  if (there !== undefined && found.length === 0) {
    found.push(fine("settings", "the running gateway uses them"));
  }
  found.push(
    ...await checkProviders(settings.config, {
      ...options,
      ...(there === undefined ? {} : { disabledThere: there }),
    }),
  );
  return found;
}
