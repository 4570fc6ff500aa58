/** What a running gateway says of its settings in its answer to `status`, and how that is told. */

import { disabledProviderText } from "../config.ts";
import type { SettingsIssue } from "../services/settings_codec.ts";
import { cell, printable } from "./foreign_text.ts";
import { connectOwnOrThrow, type Invocation } from "./gateway_access.ts";
import type { HostState } from "./host_state.ts";
import { object, objects, texts } from "./json_view.ts";

/** Most issues and most providers told. */
const MAX_TOLD = 20;

/** Longest message told, in characters. */
const MAX_MESSAGE_CHARS = 400;

/** The settings of a gateway that runs. Safe to print. */
export interface RunningSettings {
  /** Why it does not use the file as it is; empty when it does. */
  readonly refused: readonly SettingsIssue[];
  /** By the provider's id, the variables that a disabled one waits for. */
  readonly disabled: ReadonlyMap<string, readonly string[]>;
}

/** Reads the `settings` of a status; one of a gateway that tells nothing of them is one without trouble. */
export function runningSettings(status: unknown): RunningSettings {
  const { refused, disabledProviders } = object(object(status).settings);
  return {
    refused: objects(object(refused).issues).slice(0, MAX_TOLD).map(({ path, message }) => ({
      path: typeof path === "string" && path !== "" ? cell(path, MAX_MESSAGE_CHARS) : "",
      message: cell(message, MAX_MESSAGE_CHARS),
    })),
    disabled: new Map(
      objects(disabledProviders).slice(0, MAX_TOLD).map(({ provider, variables }) => [
        cell(provider),
        texts(variables).map((name) => cell(name)),
      ]),
    ),
  };
}

/** What of the settings is not in effect, a line each. */
export function settingsTrouble({ refused, disabled }: RunningSettings): readonly string[] {
  return [
    ...refused.map(({ path, message }) =>
      `the settings file is not used: ${path} ${message}`.replace(/: +/, ": ")
    ),
    ...(refused.length === 0 ? [] : ["the settings from before it was changed stay in effect"]),
    ...[...disabled].map(([id, variables]) => printable(disabledProviderText(id, variables))),
  ];
}

/** Asks the gateway of this host's files; undefined where none runs or it does not answer. */
export async function askRunningSettings(
  invocation: Invocation,
  state: HostState,
): Promise<RunningSettings | undefined> {
  try {
    await using client = await connectOwnOrThrow(invocation, state);
    return client === undefined ? undefined : runningSettings(await client.call("status", {}));
  } catch {
    // Why it does not answer is told by the check of the gateway.
    return undefined;
  }
}
