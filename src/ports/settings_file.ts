/** The text of the configuration file, byte for byte, and its fingerprint. */
export interface SettingsText {
  /** Where it lies, for people. */
  readonly path: string;
  /** Its text, or undefined where there is no file yet. */
  readonly raw: string | undefined;
}

/** The one configuration file that an operator owns. */
export interface SettingsFile {
  read(): Promise<SettingsText>;
  /**
   * Replaces the file atomically (a reader sees the old text or the new one), mode 0600, durable when it
   * resolves. `path` is where the text that this one is made of was read; where another file counts by
   * now, nothing is written and the promise rejects.
   */
  write(raw: string, path?: string): Promise<void>;
}
