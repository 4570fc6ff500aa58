/** Takes in what people change in the settings file and the token file while the gateway runs. */

import { watchFiles } from "../adapters/file_watch.ts";
import type { Gateway } from "../app.ts";
import { type Config, disabledProviderText, type GatewaySecret } from "../config.ts";
import { escapeText } from "../core/quote.ts";
import type { Cancel, Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { SettingsPlace } from "./settings_place.ts";
import type { StateToken } from "./state_token.ts";

/** What is followed, and who hears of it. */
export interface SettingsWatchParts {
  readonly gateway: Pick<Gateway, "reload" | "settings">;
  readonly place: SettingsPlace;
  /** The token file. */
  readonly tokenPath: string;
  readonly stateToken: StateToken;
  /** The secret that guards the gateway under these settings. */
  readonly guard: (auth: Config["gateway"]["auth"]) => GatewaySecret;
  readonly clock: Clock;
  readonly log: Log;
  /** Hears, a line each and once, of what a changed file brings and the gateway does not do. */
  readonly tell: (line: string) => void;
  /** Takes in what the settings mean for other parts, and gives what an operator should know of that, a line each. */
  readonly beside: () => Promise<readonly string[]>;
}

/** Follows the files until the returned function is called. */
export function watchSettings(parts: SettingsWatchParts): Cancel {
  const { gateway, place, tokenPath, stateToken, log } = parts;
  const stateTokenCounts = () => {
    const now = parts.guard(gateway.settings.current.gateway.auth);
    return now[now.mode]?.source === "state folder";
  };
  // What holds at the start is told by the start.
  const atStart = standing(parts);
  let told: ReadonlySet<string> | undefined;
  let refused = false;
  let reading: string | undefined;
  const takeIn = async (path: string): Promise<void> => {
    try {
      reading = undefined;
      if (path === tokenPath) await stateToken.refresh({ counts: stateTokenCounts() });
      await gateway.reload();
      // Settings that no longer bring a secret leave it to the state folder, as at a start.
      if (stateTokenCounts() && !stateToken.stored) {
        await stateToken.refresh({ counts: true });
        await gateway.reload();
      }
    } catch (error) {
      reading = error instanceof Error ? error.message : String(error);
      log.write("error", "a changed file is not used", { path, reason: reading });
    }
  };
  return watchFiles([...place.candidates, tokenPath], {
    clock: parts.clock,
    changed: async (path) => {
      told ??= new Set(await atStart);
      await takeIn(path);
      const now = new Set(await standing(parts, reading));
      for (const line of now) if (!told.has(line)) parts.tell(line);
      told = now;
      const refusal = gateway.settings.refusal !== undefined;
      if (refused && !refusal) parts.tell(`${escapeText(place.path())} is in effect again`);
      refused = refusal;
    },
  });
}

/** What an operator should know of the files as they are, a line each. */
async function standing(
  { gateway, place, beside }: SettingsWatchParts,
  reading?: string,
): Promise<readonly string[]> {
  const path = escapeText(place.path());
  const { current, refusal } = gateway.settings;
  const lines: string[] = [];
  if (reading !== undefined) lines.push(`${escapeText(reading)}; what was in effect stays so`);
  else if (refusal !== undefined) {
    const [first, ...more] = refusal.issues;
    const what = `${first?.path ?? ""} ${first?.message ?? "is not valid"}`.trim();
    const rest = more.length === 0 ? "" : ` (and ${more.length} more)`;
    lines.push(`${path} is not used: ${what}${rest}; the earlier settings stay in effect`);
  }
  for (const [id, unset] of Object.entries(current.models.disabled ?? {})) {
    lines.push(disabledProviderText(id, unset));
  }
  lines.push(...await beside());
  try {
    const others = await place.passedOver();
    lines.push(...others.map((other) => `${escapeText(other)} is not read, as ${path} is`));
  } catch {
    // A folder that cannot be looked through is told when its file is read.
  }
  return lines;
}
