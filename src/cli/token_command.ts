/** `token`: the secret that clients show to this host's gateway. */

import { dirname, join } from "node:path";
import { SETTING_VARIABLES } from "../config.ts";
import { REDACTED } from "../services/redaction.ts";
import { makeSecret } from "../start/state_token.ts";
import { openConfigDesk } from "./config_desk.ts";
import { CommandFailed, EXIT } from "./exit_code.ts";
import { jsonText } from "./foreign_text.ts";
import { connectOwn, type Invocation } from "./gateway_access.ts";
import { type HostState, readHostState } from "./host_state.ts";
import { object } from "./json_view.ts";

/** How long a running gateway may take to notice the new token, in milliseconds. */
const TAKE_IN_MS = 5_000;

/** Prints the token, alone on standard output. */
export async function tokenShow(invocation: Invocation): Promise<void> {
  const { terminal, flags } = invocation;
  const state = await ownState(invocation);
  const token = tokenOf(state);
  if (flags.json === true) {
    return terminal.out(`${jsonText({ token: token.value, source: token.source })}\n`);
  }
  terminal.out(`${token.value}\n`);
}

/** Replaces the token where it stands, and says when that takes effect. */
export async function tokenRotate(invocation: Invocation): Promise<void> {
  const { terminal, flags } = invocation;
  const state = await ownState(invocation);
  const token = tokenOf(state);
  if (token.source === "environment") {
    throw new CommandFailed(
      EXIT.failed,
      `the token comes from ${SETTING_VARIABLES.token}`,
      "change it where that variable is set, then restart the gateway",
    );
  }
  const fresh = makeSecret();
  const effect = token.source === "file"
    ? await rotateInSettings(invocation, { state, fresh })
    : await rotateInFolder(invocation, { state, fresh });
  if (flags.json === true) {
    return terminal.out(
      `${jsonText({ ok: true, source: token.source, effect })}\n`,
    );
  }
  terminal.out("The token was replaced; `token show` prints the new one.\n");
  terminal.out(`${EFFECTS[effect]}\n`);
}

/** When a new token counts. */
type Effect = "now" | "at start" | "after restart" | "unknown";

const EFFECTS: Readonly<Record<Effect, string>> = {
  "now": "The running gateway refuses the old one from now on.",
  "at start": "It counts when the gateway starts.",
  "after restart": "The running gateway takes the old one until it is restarted.",
  "unknown":
    "A gateway runs on this state folder but did not let this command in, so whether it takes " +
    "the new one now is not known; restart it to be sure.",
};

async function ownState({ flags, terminal }: Invocation): Promise<HostState> {
  if (flags.url === undefined) return await readHostState(flags, terminal.env);
  throw new CommandFailed(
    EXIT.usage,
    "a token is shown and replaced on the gateway's own host alone",
    "leave --url out, and name the state folder with --state-dir if it is not the usual one",
  );
}

function tokenOf({ secret, settings }: HostState): NonNullable<HostState["secret"]> {
  if (secret === undefined && settings.config.gateway.auth.unset !== undefined) {
    throw new CommandFailed(
      EXIT.failed,
      "the settings take the secret from a variable that is not set in this shell",
      "set it here too; `config validate` names it",
    );
  }
  if (secret === undefined) {
    throw new CommandFailed(
      EXIT.failed,
      "there is no token yet",
      "`serve` makes one when it starts for the first time",
    );
  }
  if (secret.kind === "token") return secret;
  throw new CommandFailed(
    EXIT.failed,
    "this gateway asks for a password, which stands in the settings",
    "`config path` tells the file; gateway.auth.mode chooses between token and password",
  );
}

async function rotateInSettings(
  invocation: Invocation,
  { state, fresh }: { readonly state: HostState; readonly fresh: string },
): Promise<Effect> {
  await using desk = await openConfigDesk(invocation);
  const { hash, parsed } = object(await desk.get());
  // Only a reference to the environment is shown as it is written.
  if (object(object(object(parsed).gateway).auth).token !== REDACTED) {
    throw new CommandFailed(
      EXIT.failed,
      "the settings take the token from the environment",
      "change it where that variable is set, then restart the gateway",
    );
  }
  const answer = await desk.patch({
    raw: JSON.stringify({ gateway: { auth: { token: fresh } } }),
    ...(typeof hash === "string" ? { baseHash: hash } : {}),
  });
  if (!desk.live) return withoutAnswer(state);
  return object(object(answer).restart).required === true ? "after restart" : "now";
}

async function rotateInFolder(
  invocation: Invocation,
  { state, fresh }: { readonly state: HostState; readonly fresh: string },
): Promise<Effect> {
  const running = await connectOwn(invocation, state);
  await replaceSecret(state.paths.token, fresh);
  if (running === undefined) return withoutAnswer(state);
  // A gateway that took the new one in ends the connections made with the old one, this one too.
  const { terminal } = invocation;
  const waited = Promise.withResolvers<"after restart">();
  const stopTimer = terminal.after(TAKE_IN_MS, () => waited.resolve("after restart"));
  const effect = await Promise.race([
    running.closed.then(() => "now" as const),
    waited.promise,
  ]);
  stopTimer();
  await running.close();
  return effect;
}

/** When it counts for a gateway that was not spoken to. */
function withoutAnswer({ running }: HostState): Effect {
  return running === undefined ? "at start" : "unknown";
}

/** Puts a new file in the place of the old one: a reader sees one or the other, its owner alone. */
async function replaceSecret(path: string, secret: string): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.token.${crypto.randomUUID()}.tmp`);
  try {
    await Deno.writeTextFile(temporary, `${secret}\n`, { createNew: true, mode: 0o600 });
    using file = await Deno.open(temporary);
    await file.sync();
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}
