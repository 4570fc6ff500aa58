/** `doctor`: looks for what keeps the gateway from working, and says what to do. */

import { secretProblem, SETTING_VARIABLES } from "../config.ts";
import { MIN_SECRET_CHARS } from "../config/secret_text.ts";
import { ConnectionFailed } from "../client/client_error.ts";
import type { SettingsIssue } from "../services/settings_codec.ts";
import { checkDatabase, checkFolder } from "./doctor_files.ts";
import { broken, type Diagnosis, fine, warning } from "./doctor_finding.ts";
import { checkPorts } from "./doctor_ports.ts";
import { checkInEffect, checkPassedOver, checkUnknownSecret } from "./doctor_settings.ts";
import { EXIT, type ExitCode } from "./exit_code.ts";
import { cell, jsonText, printable } from "./foreign_text.ts";
import { connectOwnOrThrow, type Invocation } from "./gateway_access.ts";
import { toCommandFailed } from "./failure.ts";
import { type HostState, readHostState } from "./host_state.ts";
import { type Finding, mark } from "./mark.ts";
import { portOf } from "./own_gateway.ts";
import { portHolder } from "./port_holder.ts";
import { spin } from "./terminal.ts";

/** The runtime that the program is tested with, and the oldest that has all it uses. */
const TESTED_DENO = "2.9.6";
const OLDEST_DENO = [2, 9] as const;

/** No honest clock is before this program, or centuries after it: 2026 and 2100. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);
const LATEST_MS = Date.UTC(2100, 0, 1);

/** Runs every check, prints the findings, and fails when something is broken. */
export async function doctorCommand(
  invocation: Invocation,
  options: { readonly probe: boolean },
): Promise<ExitCode> {
  const { terminal, flags } = invocation;
  const done = spin(terminal, "examining");
  let findings: readonly Diagnosis[];
  try {
    findings = await examine(invocation, options);
  } finally {
    done();
  }
  const count = (finding: Finding) => findings.filter((item) => item.finding === finding).length;
  const ok = count("broken") === 0;
  if (flags.json === true) terminal.out(`${jsonText({ ok, findings })}\n`);
  else {
    for (const { check, finding, message, fix } of findings) {
      terminal.out(`${mark(terminal, finding)} ${check}: ${printable(message)}\n`);
      if (fix !== undefined) terminal.out(`     ${printable(fix)}\n`);
    }
    terminal.out(`\n${count("broken")} broken, ${count("warning")} to look at\n`);
  }
  return ok ? EXIT.ok : EXIT.failed;
}

async function examine(
  invocation: Invocation,
  options: { readonly probe: boolean },
): Promise<readonly Diagnosis[]> {
  const { terminal, flags } = invocation;
  const now = terminal.now();
  const findings = [checkRuntime(Deno.version.deno), checkClock(now)];
  let state: HostState;
  try {
    state = await readHostState(flags, terminal.env);
  } catch (error) {
    // Without the places and the address, nothing else can be looked at.
    const { message, hint } = toCommandFailed(error);
    return [...findings, broken("settings", message, hint ?? "mend it, then run doctor again")];
  }
  findings.push(...await checkFolder(state.paths, now));
  findings.push(...checkSettings(state), ...checkPassedOver(state));
  findings.push(checkUnknownSecret(state) ?? checkSecret(state));
  findings.push(await checkDatabase(state.paths));
  findings.push(...await checkGateway(invocation, state));
  findings.push(...await checkPorts(state));
  findings.push(...await checkInEffect(invocation, state, options));
  return findings;
}

/** Whether the runtime is one that has all that is used. */
export function checkRuntime(version: string): Diagnosis {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_DENO;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    return broken("deno", `Deno ${version} is too old`, `install ${TESTED_DENO} or newer`);
  }
  return fine("deno", `Deno ${version}`);
}

/** Whether the time can be right: device signatures are refused when it is off by ten minutes. */
export function checkClock(now: number): Diagnosis {
  const shown = Number.isFinite(now) ? new Date(now).toISOString() : "no time at all";
  return now >= EARLIEST_MS && now < LATEST_MS
    ? fine("clock", shown)
    : broken("clock", `the clock says ${shown}`, "set it, best by NTP; devices cannot connect");
}

function checkSettings(state: HostState): readonly Diagnosis[] {
  const { paths, settings, configExists } = state;
  const edit = `edit ${paths.config}`;
  const text = ({ path, message }: SettingsIssue) => `${path} ${message}`.trim();
  // The check of the secret says it, and whether it matters.
  const told = hasShortSecret(state) ? `gateway.auth.${state.secret?.kind}` : undefined;
  const problems = [
    ...settings.issues.map((issue) => broken("settings", text(issue), edit)),
    ...settings.warnings.filter(({ path }) => path !== told && !isDefaultModel(path))
      .map((issue) => warning("settings", text(issue), edit)),
  ];
  if (settings.issues.length > 0) return problems;
  const about = configExists ? "is valid" : "is not there; the defaults hold";
  return [fine("settings", `${paths.config} ${about}`), ...problems];
}

/** The check of the models says what is wrong with it. */
function isDefaultModel(path: string): boolean {
  return path === "agents.defaults.model" || path === "agents.defaults.model.primary";
}

function hasShortSecret({ secret }: Pick<HostState, "secret">): boolean {
  return secret !== undefined && secret.value.length < MIN_SECRET_CHARS;
}

/** Whether the shared secret is one. */
export function checkSecret(state: Pick<HostState, "secret" | "exposed">): Diagnosis {
  const { secret, exposed } = state;
  if (secret === undefined) {
    return fine("secret", "there is none yet; serve makes a token when it starts");
  }
  const { kind, source, value } = secret;
  const where = `the ${kind} (${source})`;
  const fix = source === "environment"
    ? `set a longer one where ${SETTING_VARIABLES.token} is set`
    : kind === "token"
    ? "`token rotate` makes a good one"
    : "set a longer gateway.auth.password";
  const problem = secretProblem(value);
  if (problem !== undefined) return broken("secret", `${where} ${problem}`, fix);
  if (hasShortSecret(state)) {
    const message = `${where} has fewer than ${MIN_SECRET_CHARS} characters and may be guessed`;
    return exposed ? broken("secret", message, fix) : warning("secret", message, fix);
  }
  return fine("secret", `${where} is long enough`);
}

async function checkGateway(
  invocation: Invocation,
  state: HostState,
): Promise<readonly Diagnosis[]> {
  const { running, anyPort } = state;
  const started = running === undefined
    ? undefined
    : `the gateway of this state folder (pid ${running.pid})`;
  if (anyPort) {
    return [
      fine("port", "any free one is taken at each start"),
      started === undefined ? warning("gateway", "does not run", "start it with `serve`") : warning(
        "gateway",
        `${started} does not say where it listens`,
        "ask again once it has started",
      ),
    ];
  }
  const port = portOf(new URL(state.url));
  const [answer, held] = await Promise.all([greet(invocation, state), portHolder(port)]);
  if (answer.status === "ours") {
    const by = held?.holder === undefined ? "" : `, pid ${held.holder.pid}`;
    return [fine("gateway", `answers at ${state.url}, release ${answer.version}${by}`)];
  }
  const holder = held?.holder === undefined
    ? "another program"
    : `pid ${held.holder.pid} (${held.holder.program})`;
  if (answer.status === "refused") {
    return [broken(
      "gateway",
      `${holder} at ${state.url} refuses this state folder's secret: ${answer.message}`,
      started === undefined
        ? "restart that gateway if its token was replaced, or choose another port for this one"
        : "give commands the secret that it was started with (--token, CLAWGATE_TOKEN), or restart it",
    )];
  }
  if (answer.status === "other") {
    return [broken(
      "port",
      `port ${port} is held by ${holder}, a gateway with another state folder`,
      "choose another port with --port or gateway.port, or name that folder with --state-dir",
    )];
  }
  if (started !== undefined) {
    return [broken(
      "gateway",
      `${started} is not reached at ${state.url}: ${answer.message}`,
      "ask again once it has started, look into its log, or restart it",
    )];
  }
  if (held?.held === true) {
    return [broken(
      "port",
      `port ${port} is held by ${holder}, which is not the gateway of this state folder`,
      "stop it, or choose another port with --port or gateway.port",
    )];
  }
  const free = held === undefined ? `nothing answers on port ${port}` : `port ${port} is free`;
  return [
    fine("port", free),
    warning("gateway", `does not run at ${state.url}`, "start it with `serve`"),
  ];
}

type Greeting =
  | { readonly status: "ours"; readonly version: string }
  | { readonly status: "refused" | "none"; readonly message: string }
  | { readonly status: "other" };

async function greet(invocation: Invocation, state: HostState): Promise<Greeting> {
  try {
    const client = await connectOwnOrThrow(invocation, state);
    if (client === undefined) return { status: "other" };
    const version = cell(client.hello.serverVersion, 40);
    await client.close();
    return { status: "ours", version };
  } catch (error) {
    const refused = error instanceof ConnectionFailed && error.fault === "refused";
    return { status: refused ? "refused" : "none", message: toCommandFailed(error).message };
  }
}
