/** The settings service on a file in memory, for tests. */

import assert from "node:assert/strict";
import {
  type Config,
  defaultConfig,
  settingsCodec,
  type SettingsFormat,
} from "../../src/config.ts";
import { GatewayError } from "../../src/core/error.ts";
import type { SettingsFile, SettingsText } from "../../src/ports/settings_file.ts";
import { Settings } from "../../src/services/settings.ts";
import { ManualClock } from "./manual_clock.ts";
import { MemoryLog } from "./memory_log.ts";

/** How a change on an old text is refused. */
export const CHANGED = "config changed since last load; re-run config.get and retry";

/** A secret that no answer may show. */
export const TOKEN = "gw-secret-0123456789";

/** A settings file that a test may look into and change behind the service's back. */
export class MemorySettingsFile implements SettingsFile {
  raw: string | undefined;
  writes = 0;

  constructor(raw?: string) {
    this.raw = raw;
  }

  async read(): Promise<SettingsText> {
    await Promise.resolve();
    return { path: "/state/clawgate.json", raw: this.raw };
  }

  async write(raw: string): Promise<void> {
    await Promise.resolve();
    this.raw = raw;
    this.writes++;
  }
}

/** The settings of a gateway and what they stand on. */
export interface SettingsStage {
  readonly file: MemorySettingsFile;
  readonly settings: Settings<Config>;
  readonly clock: ManualClock;
  readonly log: MemoryLog;
}

/** The settings of a gateway that started with `raw` as its file; absent: without a file. */
export async function open(raw?: string, options: {
  readonly format?: SettingsFormat;
  readonly env?: Record<string, string>;
} = {}): Promise<SettingsStage> {
  const file = new MemorySettingsFile(raw);
  const codec = await settingsCodec({ format: options.format ?? "json5", env: options.env ?? {} });
  const reading = codec.read(raw ?? "");
  const config = reading.ok ? codec.parse(reading.text.document).config : defaultConfig();
  const clock = new ManualClock();
  const log = new MemoryLog();
  const settings = new Settings(config, {
    file,
    codec,
    clock,
    log,
    version: "2026.11.22",
    pid: 42,
  });
  return { file, settings, clock, log };
}

/** The hash of the text that stands. */
export async function hashOf(settings: { get(): Promise<{ hash?: string }> }): Promise<string> {
  const { hash } = await settings.get();
  assert.ok(hash);
  return hash;
}

/** The `INVALID_REQUEST` by which a change is refused. */
export async function refused(promise: Promise<unknown>): Promise<GatewayError> {
  const outcome = await promise.then(() => undefined, (error: unknown) => error);
  assert.ok(outcome instanceof GatewayError, "was not refused");
  assert.equal(outcome.code, "INVALID_REQUEST");
  return outcome;
}
