/** Why settings are refused, in the words of the answer. */

import { type GatewayError, invalidRequest } from "../core/error.ts";
import type { SettingsIssue, SettingsReading } from "./settings_codec.ts";

/** A text that is no settings. */
type Broken = Extract<SettingsReading, { ok: false }>;

/** What is wrong with the text, and where. */
export function whereBroken({ message, line, column }: Broken): string {
  if (line === undefined) return message;
  return `${message} at line ${line}${column === undefined ? "" : `, column ${column}`}`;
}

/** Refuses a text that cannot be read; `prefix` says whose it is. */
export function unreadable(broken: Broken, prefix?: string): GatewayError {
  const { line, column } = broken;
  const message = whereBroken(broken);
  return invalidRequest(prefix === undefined ? message : `${prefix}: ${message}`, {
    details: {
      reason: broken.reason,
      ...(line === undefined ? {} : { line }),
      ...(column === undefined ? {} : { column }),
    },
  });
}

/** Refuses settings that can be read; `host`: only who sits at the machine may change it so. */
export function invalidConfig(issues: readonly SettingsIssue[], reason?: "host"): GatewayError {
  const details = { issues, ...(reason === undefined ? {} : { reason }) };
  return invalidRequest("invalid config", { details });
}
