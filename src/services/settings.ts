/** The settings that an operator reads and changes while the gateway runs. */

import { sha256Hex } from "../core/digest.ts";
import { GatewayError, invalidRequest } from "../core/error.ts";
import type { Cancel, Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { SettingsFile } from "../ports/settings_file.ts";
import { isObject, sameJson, toJson, valueAt } from "./json_value.ts";
import { mergePatch } from "./merge_patch.ts";
import {
  type RawText,
  redactDocument,
  redactText,
  restoreDocument,
  restoreText,
} from "./redaction.ts";
import {
  type AppliedKind,
  type AppliedSettings,
  appliedSettings,
  type ApplySettings,
  type ChangedSettings,
  type SetSettings,
  type SettingOverride,
  type SettingsSnapshot,
} from "./settings_answer.ts";
import type {
  JsonObject,
  ParsedSettings,
  SettingsCodec,
  SettingsIssue,
  SettingsReading,
  SettingsSchema,
} from "./settings_codec.ts";
import { invalidConfig, unreadable, whereBroken } from "./settings_error.ts";
import { secretsIn } from "./settings_secrets.ts";

export type {
  AppliedSettings,
  ApplySettings,
  ChangedSettings,
  RestartNeed,
  SetSettings,
  SettingOverride,
  SettingsSentinel,
  SettingsSnapshot,
} from "./settings_answer.ts";

/** Most writes that wait for their turn; the next is refused as retryable. People write settings. */
export const MAX_WAITING_WRITES = 32;

/** Most parts of the gateway that follow the settings; more is a leak, so the next one is refused. */
export const MAX_SETTINGS_LISTENERS = 64;

/** What the settings service is made of. */
export interface SettingsParts<Config> {
  readonly file: SettingsFile;
  /** Knows the schema; also reads the file where {@linkcode SettingsParts.codecOf} is absent. */
  readonly codec: SettingsCodec<Config>;
  /** The codec for the file that {@linkcode SettingsFile.read} found at `path`, as its format may change. */
  readonly codecOf?: (path: string) => Promise<SettingsCodec<Config>>;
  readonly clock: Clock;
  readonly log: Log;
  /** The gateway's release; shown as `meta.lastTouchedVersion` where the file does not say. */
  readonly version: string;
  /** The process that a restart would replace, for the answer to a change. */
  readonly pid?: number;
  /**
   * Where changes come from; default `wire`. A writer on the `host` can edit the file anyway and so may
   * change what {@linkcode SettingsCodec.wireIssues} refuses.
   */
  readonly writer?: "wire" | "host";
  /** What counts before the file; a change of such a setting is told to have no effect. */
  readonly overrides?: readonly SettingOverride[];
}

/** Why the file as it stands is not in effect, so that earlier settings go on. */
export interface SettingsRefusal {
  /** When it was refused first, in milliseconds since the Unix epoch. */
  readonly at: number;
  /** At least one. */
  readonly issues: readonly SettingsIssue[];
}

/** Hears of a change once it is on disk. What it throws is logged and keeps nobody else from hearing. */
export type SettingsListener<Config> = (previous: Config, next: Config) => void;

/** The file as read: its hash, its text, and what the text means. */
interface Standing<Config> {
  readonly path: string;
  readonly raw: string | undefined;
  readonly hash: string | undefined;
  readonly codec: SettingsCodec<Config>;
  readonly reading: SettingsReading;
  /** Undefined when the text cannot be read. */
  readonly parsed: ParsedSettings<Config> | undefined;
}

/**
 * Reads and changes the configuration file by compare-and-set, one change at a time. Reading never
 * shows a secret, and text written back with the redaction marker keeps the secret.
 */
export class Settings<Config> {
  readonly #parts: SettingsParts<Config>;
  readonly #listeners = new Set<SettingsListener<Config>>();
  readonly #schema: SettingsSchema;
  readonly #generatedAt: string;
  readonly #started: Config;
  #current: Config;
  #refusal: SettingsRefusal | undefined;
  #secrets: readonly string[] | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** `config` is what the gateway started with; what needs a restart is told against it. */
  constructor(config: Config, parts: SettingsParts<Config>) {
    this.#parts = parts;
    this.#started = config;
    this.#current = config;
    this.#schema = parts.codec.schema();
    this.#generatedAt = new Date(parts.clock.now()).toISOString();
  }

  /** The valid settings that were last read or written. */
  get current(): Config {
    return this.#current;
  }

  /** Why the file is not in effect, since {@linkcode Settings.reload} found it so; undefined when it is. */
  get refusal(): SettingsRefusal | undefined {
    return this.#refusal;
  }

  /**
   * The secrets of the {@linkcode Settings.current} settings, as the environment fills them in, up to a
   * bound. For a log that must not tell them.
   */
  secrets(): readonly string[] {
    return this.#secrets ??= secretsIn(toJson(this.#current), this.#parts.codec);
  }

  /** The file as it stands, valid or not. */
  async get(): Promise<SettingsSnapshot> {
    return this.#show(await this.#read());
  }

  /** The schema of the settings, and when it was made: an ISO 8601 time. */
  schema(): SettingsSchema & { readonly version: string; readonly generatedAt: string } {
    return { ...this.#schema, version: this.#parts.version, generatedAt: this.#generatedAt };
  }

  /** Replaces the text of the file, kept byte for byte except for restored secrets. */
  set(request: SetSettings): Promise<ChangedSettings> {
    return this.#inTurn(async () => {
      const base = await this.#base(request.baseHash);
      return (await this.#store(this.#replace(request.raw, base), base)).changed;
    });
  }

  /** {@linkcode Settings.set}, with what the change means for the running gateway. */
  apply(request: ApplySettings): Promise<AppliedSettings> {
    return this.#inTurn(async () => {
      const base = await this.#base(request.baseHash);
      const stored = await this.#store(this.#replace(request.raw, base), base);
      return this.#applied("config-apply", request, stored);
    });
  }

  /** Merges a JSON merge patch (RFC 7396) into the settings; comments stay where that is possible. */
  patch(request: ApplySettings): Promise<AppliedSettings> {
    return this.#inTurn(async () => {
      const base = await this.#base(request.baseHash);
      const stored = await this.#store(this.#merge(request.raw, base), base);
      return this.#applied("config-patch", request, stored);
    });
  }

  /**
   * Reads the file again after someone else changed it. An invalid file changes nothing but the answer
   * and {@linkcode Settings.refusal}; so does one that cannot be read, with which this rejects.
   */
  reload(): Promise<SettingsSnapshot> {
    return this.#inTurn(async () => {
      let standing: Standing<Config>;
      try {
        standing = await this.#read();
      } catch (error) {
        this.#refuse([{ path: "", message: UNREADABLE }]);
        throw error;
      }
      const snapshot = this.#show(standing);
      if (standing.parsed !== undefined && snapshot.valid) this.#adopt(standing.parsed.config);
      else this.#refuse(snapshot.issues);
      return snapshot;
    });
  }

  /** What `make` gives for the settings as they are, made anew only when they changed. */
  derive<Result>(make: (config: Config) => Result): () => Result {
    let from = this.#current;
    let made = make(from);
    return () => {
      if (from !== this.#current) made = make(from = this.#current);
      return made;
    };
  }

  /** Calls `listener` after every change of the settings, until the returned function is called. */
  onChange(listener: SettingsListener<Config>): Cancel {
    if (this.#listeners.size >= MAX_SETTINGS_LISTENERS) {
      const message = `more than ${MAX_SETTINGS_LISTENERS} parts follow the settings`;
      throw new GatewayError("UNAVAILABLE", message);
    }
    // A wrapper of its own, so that one function that listens twice is two subscriptions.
    const entry: SettingsListener<Config> = (previous, next) => listener(previous, next);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  #inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#waiting >= MAX_WAITING_WRITES) {
      const message = "too many settings changes are waiting; try again in a moment";
      return Promise.reject(new GatewayError("UNAVAILABLE", message, { retryable: true }));
    }
    this.#waiting++;
    const outcome = this.#turn.then(task).finally(() => this.#waiting--);
    this.#turn = outcome.catch(() => {});
    return outcome;
  }

  #refuse(issues: readonly SettingsIssue[]): void {
    this.#refusal = { at: this.#refusal?.at ?? this.#parts.clock.now(), issues };
  }

  async #read(): Promise<Standing<Config>> {
    const { file, codecOf } = this.#parts;
    const { path, raw } = await file.read();
    const codec = await codecOf?.(path) ?? this.#parts.codec;
    const reading = codec.read(raw ?? "");
    return {
      path,
      raw,
      hash: raw === undefined ? undefined : await sha256Hex(raw),
      codec,
      reading,
      parsed: reading.ok ? codec.parse(reading.text.document) : undefined,
    };
  }

  /** What a change builds on; refused unless the writer saw it as it stands. */
  async #base(baseHash: string | undefined): Promise<Standing<Config>> {
    const standing = await this.#read();
    const given = baseHash?.trim().toLowerCase() ?? "";
    if (given === "" && standing.hash !== undefined) {
      throw invalidRequest("config base hash required; re-run config.get and retry");
    }
    if (given !== "" && given !== standing.hash) {
      throw invalidRequest("config changed since last load; re-run config.get and retry");
    }
    return standing;
  }

  #replace(raw: string, base: Standing<Config>): Submitted {
    const { codec } = base;
    const reading = codec.read(raw);
    if (!reading.ok) throw unreadable(reading);
    const submitted: RawText = { raw, text: reading.text };
    const restored = restoreText(submitted, { current: rawText(base), rules: codec });
    if (!restored.ok) throw invalidConfig(restored.issues);
    return { raw: restored.value, brought: reading.text.document };
  }

  #merge(raw: string, base: Standing<Config>): Submitted {
    const { codec } = base;
    if (!base.reading.ok) {
      throw unreadable(base.reading, "the settings file is broken; mend it first");
    }
    const patch = codec.readPatch(raw);
    if (!patch.ok) {
      if (patch.reason === "shape") throw invalidRequest("config.patch raw must be an object");
      throw unreadable(patch);
    }
    const current = base.reading.text.document;
    const merged = mergePatch(current, patch.text.document);
    const restored = restoreDocument(merged, { current, rules: codec });
    if (!restored.ok) throw invalidConfig(restored.issues);
    // An unchanged document keeps its text, so that an idle patch does not touch the layout.
    const idle = base.raw !== undefined && sameJson(current, restored.value);
    return {
      raw: idle ? base.raw : codec.edit(base.raw ?? "", restored.value),
      brought: patch.text.document,
    };
  }

  async #store({ raw, brought }: Submitted, base: Standing<Config>): Promise<Stored> {
    const { file, writer } = this.#parts;
    const { codec } = base;
    const reading = codec.read(raw);
    if (!reading.ok) throw unreadable(reading);
    if (writer !== "host") {
      // Before validation, whose issues tell which variables the environment has.
      const current = base.reading.ok ? base.reading.text.document : undefined;
      const issues = codec.wireIssues({ current, brought, next: reading.text.document });
      if (issues.length > 0) throw invalidConfig(issues, "host");
    }
    const parsed = codec.parse(reading.text.document);
    if (parsed.issues.length > 0) throw invalidConfig(parsed.issues);
    if (raw !== base.raw) await file.write(raw, base.path);
    const before = base.reading.ok ? base.reading.text.document : {};
    this.#adopt(parsed.config);
    return {
      changed: { ok: true, path: base.path, config: this.#config(reading.text.document) },
      keys: codec.restartKeys(this.#started, parsed.config),
      overridden: (this.#parts.overrides ?? []).filter(({ path }) =>
        !sameJson(valueAt(before, path), valueAt(reading.text.document, path))
      ),
    };
  }

  #adopt(next: Config): void {
    const previous = this.#current;
    this.#current = next;
    this.#refusal = undefined;
    this.#secrets = undefined;
    if (sameJson(toJson(previous), toJson(next))) return;
    for (const listener of this.#listeners) {
      try {
        listener(previous, next);
      } catch (cause) {
        const error = cause instanceof Error ? cause.name : typeof cause;
        this.#parts.log.write("error", "a part of the gateway failed to take new settings", {
          error,
        });
      }
    }
  }

  #applied(
    kind: AppliedKind,
    request: ApplySettings,
    { changed, keys, overridden }: Stored,
  ): AppliedSettings {
    const { pid, clock } = this.#parts;
    return appliedSettings(kind, { request, changed, keys, overridden, pid, now: clock.now() });
  }

  #show(standing: Standing<Config>): SettingsSnapshot {
    const { path, raw, hash, codec, reading, parsed } = standing;
    const text = rawText(standing);
    return {
      path,
      exists: raw !== undefined,
      raw: text === undefined ? null : redactText(text.raw, text.text, codec) ?? null,
      parsed: reading.ok ? redactDocument(reading.text.document, codec) : {},
      valid: parsed !== undefined && parsed.issues.length === 0,
      config: this.#config(reading.ok ? reading.text.document : {}),
      ...(hash === undefined ? {} : { hash }),
      issues: reading.ok ? parsed?.issues ?? [] : [{ path: "", message: whereBroken(reading) }],
      warnings: parsed?.warnings ?? [],
      legacyIssues: [],
    };
  }

  #config(document: JsonObject): JsonObject {
    const filled = redactDocument(this.#parts.codec.fill(document), this.#parts.codec);
    const meta = isObject(filled.meta) ? filled.meta : {};
    return { ...filled, meta: { lastTouchedVersion: this.#parts.version, ...meta } };
  }
}

/** Told in place of the reason, which names the file's path and is for the log alone. */
const UNREADABLE = "the settings file cannot be read; the gateway's log says why";

interface Stored {
  readonly changed: ChangedSettings;
  readonly keys: readonly string[];
  readonly overridden: readonly SettingOverride[];
}

/** A text to store, and the document or patch it was made of. */
interface Submitted {
  readonly raw: string;
  readonly brought: JsonObject;
}

function rawText<Config>({ raw, reading }: Standing<Config>): RawText | undefined {
  return raw !== undefined && reading.ok ? { raw, text: reading.text } : undefined;
}
