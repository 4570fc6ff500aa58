/** Where a gateway's settings lie: one file that was named, or the state folder's, whatever it is called. */

import { join, resolve } from "node:path";
import {
  diskSettingsFile,
  findSettingsFile,
  folderSettingsFile,
} from "../adapters/disk_settings_file.ts";
import { SETTINGS_FILE_NAMES } from "../config.ts";
import type { SettingsFile } from "../ports/settings_file.ts";

/** The settings file of a gateway. */
export interface SettingsPlace {
  readonly file: SettingsFile;
  /** Where the settings are, by the last look; of a file that is not there, where it would be made. */
  path(): string;
  /** Every path at which the file may appear. */
  readonly candidates: readonly string[];
  /** Settings files that are there now and do not count. */
  passedOver(): Promise<readonly string[]>;
}

/** `named` is the file that a flag or the environment names; absent: the state folder is looked through. */
export async function openSettingsPlace(
  stateDir: string,
  named: string | undefined,
): Promise<SettingsPlace> {
  if (named !== undefined) {
    const path = resolve(named);
    return {
      file: diskSettingsFile(path),
      path: () => path,
      candidates: [path],
      passedOver: () => Promise.resolve([]),
    };
  }
  const look = () => findSettingsFile(stateDir, SETTINGS_FILE_NAMES);
  const file = folderSettingsFile(stateDir, SETTINGS_FILE_NAMES, (await look()).path);
  return {
    file,
    path: () => file.path,
    candidates: SETTINGS_FILE_NAMES.map((name) => join(stateDir, name)),
    passedOver: async () => (await look()).passedOver,
  };
}
