/** What is asked of the settings, and what they answer. */

import type { JsonObject, SettingPath, SettingsIssue } from "./settings_codec.ts";

/** The settings as they stand in the file, without their secrets. */
export interface SettingsSnapshot {
  readonly path: string;
  readonly exists: boolean;
  /** The text with secrets replaced; null without a file and when the text cannot be shown safely. */
  readonly raw: string | null;
  /** The settings as written; an empty object when they cannot be read. */
  readonly parsed: JsonObject;
  readonly valid: boolean;
  /** `parsed` with defaults filled in; references to the environment stay as written. */
  readonly config: JsonObject;
  /** SHA-256 of the real text, lower-case hex; absent without a file. */
  readonly hash?: string;
  readonly issues: readonly SettingsIssue[];
  readonly warnings: readonly SettingsIssue[];
  readonly legacyIssues: readonly SettingsIssue[];
}

/** A change of the whole text. */
export interface SetSettings {
  readonly raw: string;
  /** The hash that the writer last saw; required where a file exists. */
  readonly baseHash?: string;
}

/** A change that may need a restart. */
export interface ApplySettings extends SetSettings {
  readonly sessionKey?: string;
  readonly note?: string;
}

/** The settings after a change, without their secrets. */
export interface ChangedSettings {
  readonly ok: true;
  readonly path: string;
  readonly config: JsonObject;
}

/** Whether a change waits for a restart. */
export interface RestartNeed {
  readonly ok: true;
  readonly required: boolean;
  /** `live`: in effect now; `manual`: in effect once the operator restarts the gateway. */
  readonly mode: "live" | "manual";
  /** The method that made the change; behind it, changed settings that a flag or variable decides. */
  readonly reason: string;
  /** The settings that differ from those the gateway started with and need the restart. */
  readonly keys: readonly string[];
  readonly pid?: number;
}

/** How settings were applied. */
export type AppliedKind = "config-apply" | "config-patch";

/** A note of the change, for the session that asked for it. */
export interface SettingsSentinel {
  readonly path: string | null;
  readonly payload: {
    readonly kind: AppliedKind;
    readonly status: "ok";
    /** Milliseconds since the Unix epoch. */
    readonly ts: number;
    readonly sessionKey?: string;
    readonly message: string | null;
    readonly stats: { readonly mode: string; readonly requiresRestart: boolean };
  };
}

/** The answer to {@linkcode Settings.apply} and {@linkcode Settings.patch}. */
export interface AppliedSettings extends ChangedSettings {
  readonly restart: RestartNeed;
  readonly sentinel: SettingsSentinel;
}

/** A setting that a flag or a variable of the environment sets as well, and so decides. */
export interface SettingOverride {
  readonly path: SettingPath;
  /** The flag or variable, e.g. `--token`. */
  readonly by: string;
}

/** What a change that was stored means for the running gateway. */
export function appliedSettings(
  kind: AppliedKind,
  { request, changed, keys, overridden, pid, now }: {
    readonly request: ApplySettings;
    readonly changed: ChangedSettings;
    /** Changed settings that need a restart. */
    readonly keys: readonly string[];
    /** Changed settings that something else decides. */
    readonly overridden: readonly SettingOverride[];
    readonly pid: number | undefined;
    /** Milliseconds since the Unix epoch. */
    readonly now: number;
  },
): AppliedSettings {
  const required = keys.length > 0;
  const method = kind === "config-apply" ? "config.apply" : "config.patch";
  const { sessionKey, note } = request;
  return {
    ...changed,
    restart: {
      ok: true,
      required,
      mode: required ? "manual" : "live",
      reason: [
        method,
        ...overridden.map(({ path, by }) =>
          `${path.join(".")} has no effect, as ${by} counts before the settings file`
        ),
      ].join("; "),
      keys,
      ...(pid === undefined ? {} : { pid }),
    },
    sentinel: {
      path: null,
      payload: {
        kind,
        status: "ok",
        ts: now,
        ...(sessionKey === undefined ? {} : { sessionKey }),
        message: note ?? null,
        stats: { mode: method, requiresRestart: required },
      },
    },
  };
}
