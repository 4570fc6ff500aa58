/** What a gateway is made of: adapters behind the ports, the settings at the start, and facts of the machine. */

import type { Config, ServeSettings } from "../config.ts";
import type { ChatOverrides, ChatPlaces } from "../config/chat_options.ts";
import type { Clock } from "../ports/clock.ts";
import type { IdentityService } from "../ports/identity.ts";
import type { Log, LogFeed, LogReader } from "../ports/log.ts";
import type { MediaFolder } from "../ports/media.ts";
import type { ModelPort } from "../ports/model.ts";
import type { Random } from "../ports/random.ts";
import type { SettingsFile } from "../ports/settings_file.ts";
import type { Store } from "../ports/store.ts";
import type { Workspaces } from "../ports/workspace.ts";
import type { OwnPort } from "../protocols/chat/mod.ts";
import type { ServerIdentity } from "../protocols/openclaw/hello.ts";
import type { SettingOverride } from "../services/settings.ts";
import type { SettingsCodec } from "../services/settings_codec.ts";

/** The adapters and facts that a gateway is made of. */
export interface GatewayParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly log: Log;
  readonly logs: LogReader;
  /** The log as it is written, for the control channel; absent: it shows none. */
  readonly logFeed?: LogFeed;
  readonly settingsFile: SettingsFile;
  readonly settingsCodec: SettingsCodec<Config>;
  /** The codec for the file at a path, where its format may change; absent: always the one above. */
  readonly settingsCodecOf?: (path: string) => Promise<SettingsCodec<Config>>;
  /** The settings at the start. */
  readonly config: Config;
  /** The secret that counts while the settings say this; asked again after each change. */
  readonly secret: (auth: Config["gateway"]["auth"]) => Pick<ServeSettings, "mode"> & {
    readonly token?: string;
    readonly password?: string;
  };
  /** Settings that flags or the environment decide, for the answer to a change of one. */
  readonly overrides?: readonly SettingOverride[];
  /** The secret that device tokens are derived from. */
  readonly keyring: string;
  readonly server: ServerIdentity & { readonly platform: string };
  /** Host names of this machine; requests that name one are served. */
  readonly hostNames: readonly string[];
  readonly pid?: number;
  /** In place of the models of the settings. */
  readonly models?: ModelPort;
  /** Resident memory in bytes, for the metrics. */
  readonly memory?: () => number;
  /** What the chat channel stands on; absent: it cannot be switched on. */
  readonly chat?: {
    readonly identities: IdentityService;
    readonly media: MediaFolder;
    readonly workspaces: Workspaces;
    readonly overrides: ChatOverrides;
    readonly places: ChatPlaces;
    /** How the channel's own port stands now. */
    readonly ownPort: () => OwnPort;
  };
}
