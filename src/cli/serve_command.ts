/** `serve`: runs the gateway until it is told to stop. */

import process from "node:process";
import { collectGarbage, collectWhenIdle } from "../adapters/idle_collector.ts";
import { systemClock } from "../adapters/system_clock.ts";
import { SecretFileError } from "../adapters/disk_secret.ts";
import { StateLockError } from "../adapters/state_lock.ts";
import { SETTING_VARIABLES } from "../config.ts";
import { ListenError } from "../ports/listener.ts";
import type { RunningGateway, StartOptions } from "../start/start_gateway.ts";
import { CommandFailed, EXIT, type ExitCode } from "./exit_code.ts";
import type { ServeFlags } from "./flags.ts";
import { jsonText, printable } from "./foreign_text.ts";
import { objects } from "./json_view.ts";
import { otherAddresses } from "./other_address.ts";
import type { Terminal } from "./terminal.ts";

/** Starts a gateway; resolves once it listens. */
export type StartGateway = (options: StartOptions) => Promise<RunningGateway>;

/** When clients are told to come back to a gateway that is started anew, in milliseconds. Source: the reference. */
const RESTART_EXPECTED_MS = 1_500;

/**
 * Runs the gateway until a signal or its own end. A second signal ends it without waiting; `SIGUSR2` stops it
 * and starts it anew in this process, with the settings as they are then.
 */
export async function serveCommand(
  terminal: Terminal,
  flags: ServeFlags,
  start: StartGateway,
): Promise<ExitCode> {
  let gateway = await started(terminal, flags, start);
  const forced = Promise.withResolvers<ExitCode>();
  const failed = Promise.withResolvers<never>();
  let ending: "stop" | "restart" | undefined;
  const stop = () => gateway.stop("gateway stopping").catch(failed.reject);
  const undo = terminal.onSignal((signal) => {
    if (ending === "stop") {
      terminal.err("stopped without waiting\n");
      return forced.resolve(signal === "SIGINT" ? EXIT.interrupted : EXIT.terminated);
    }
    ending = "stop";
    terminal.err(`${signal}: stopping; once more stops without waiting\n`);
    stop();
  });
  const undoRestart = terminal.onRestart((signal) => {
    if (ending !== undefined) return;
    ending = "restart";
    terminal.err(`${signal}: restarting\n`);
    gateway.stop("gateway restarting", { restartExpectedMs: RESTART_EXPECTED_MS })
      .catch(failed.reject);
  });
  const unguard = surviveRejections(terminal);
  const uncollect = collectWhenResting();
  try {
    for (;;) {
      announce(terminal, gateway, flags);
      await Promise.race([loaded(gateway), forced.promise, failed.promise]);
      const end = await Promise.race([
        gateway.finished.then(() => EXIT.ok),
        forced.promise,
        failed.promise,
      ]);
      if (ending !== "restart") return end;
      gateway = await started(terminal, flags, start);
      if (ending === "restart") ending = undefined;
      else stop();
    }
  } finally {
    undo();
    undoRestart();
    unguard();
    uncollect();
  }
}

/** Resolves when all is loaded. A gateway that cannot load has told its clients, and is stopped before this rejects. */
async function loaded(gateway: RunningGateway): Promise<void> {
  try {
    await gateway.ready;
  } catch (error) {
    // Why it could not start counts more than what its end met with.
    await gateway.stop("gateway failed").catch(() => {});
    throw error;
  }
}

/** Has this process give memory back whenever it rests. */
function collectWhenResting(): () => void {
  return collectWhenIdle({
    clock: systemClock,
    spentMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000;
    },
    heapBytes: () => Deno.memoryUsage().heapTotal,
    collect: collectGarbage,
  });
}

/** Starts a gateway; rejects with what a command fails with. */
function started(
  terminal: Terminal,
  flags: ServeFlags,
  start: StartGateway,
): Promise<RunningGateway> {
  const { port, bind, token, stateDir, config } = flags;
  return start({
    flags: {
      ...(port === undefined ? {} : { port }),
      ...(bind === undefined ? {} : { bind }),
      ...(token === undefined ? {} : { token }),
      ...(stateDir === undefined ? {} : { stateDir }),
      ...(config === undefined ? {} : { config }),
    },
    env: terminal.env,
    tell: (line) => terminal.err(printable(`settings: ${line}\n`)),
  }).catch((error) => explainStart(error));
}

/** A rejection that nobody handled is a defect of one part: it is told, and the gateway goes on. */
function surviveRejections(terminal: Terminal): () => void {
  const survive = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    const { reason } = event;
    const text = reason instanceof Error ? reason.stack ?? reason.message : String(reason);
    terminal.err(printable(`internal error, the gateway goes on: ${text}\n`));
  };
  globalThis.addEventListener("unhandledrejection", survive);
  return () => globalThis.removeEventListener("unhandledrejection", survive);
}

function announce(terminal: Terminal, gateway: RunningGateway, flags: ServeFlags): void {
  const { host, url } = gateway;
  const { protocol: scheme, port } = new URL(url);
  const others = otherAddresses(
    { scheme, host, port: port || (scheme === "wss:" ? "443" : "80") },
    Deno.networkInterfaces(),
  );
  if (flags.json === true) {
    const { chat, control, stateDir, configPath, token, warnings } = gateway;
    const started = { url, others, chat, control, stateDir, configPath, token, warnings };
    return terminal.out(`${jsonText(started, 0)}\n`);
  }
  const page = url.replace(/^ws/, "http");
  const lines = [
    `listening on ${url}`,
    ...others.map((other) => `for others       ${other}`),
    `page and health  ${page}/  ${page}/healthz`,
    ...(gateway.chat === undefined ? [] : [`chat channel     ${gateway.chat}`]),
    ...(gateway.control === undefined ? [] : [`control channel  ${gateway.control}`]),
    `state folder     ${gateway.stateDir}`,
    `settings         ${gateway.configPath}`,
    secretLine(gateway),
    `try next         ${nextCommand(gateway, { flags, env: terminal.env })}`,
  ];
  terminal.out(printable(`${lines.join("\n")}\n`));
  for (const warning of gateway.warnings) terminal.err(printable(`warning: ${warning}\n`));
}

/** The secret that clients show, when it is new, or where it stands. */
function secretLine({ token, secret, configPath }: RunningGateway): string {
  const name = secret.mode.padEnd(17);
  switch (secret.source) {
    case "flag":
      return `${name}from --${secret.mode}; give it to every command, or set CLAWGATE_TOKEN there too`;
    case "environment":
      return `${name}from CLAWGATE_TOKEN; set it for other commands too`;
    case "file":
      return `${name}from ${configPath}`;
    default:
      return token === undefined
        ? `${name}as before; \`token show\` prints it`
        : `${name}${token}  (made at this first start; keep it)`;
  }
}

/** What works in another shell of this host: a folder or a file that is not the usual one is named. */
function nextCommand(
  { stateDir, configPath }: RunningGateway,
  { flags, env }: { readonly flags: ServeFlags; readonly env: Terminal["env"] },
): string {
  const named = (flag: "stateDir" | "config") =>
    (flags[flag] ?? env[SETTING_VARIABLES[flag]]) !== undefined;
  // Who has Deno from npm alone calls it as they did now.
  const deno = env.npm_lifecycle_event === "npx" ? `npx -y deno@${Deno.version.deno}` : "deno";
  return [
    `${deno} run -A mod.ts chat "hello"`,
    ...(named("stateDir") ? [`--state-dir ${shellWord(stateDir)}`] : []),
    ...(named("config") ? [`--config ${shellWord(configPath)}`] : []),
  ].join(" ");
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Gives the errors of a start their exit status, and names who holds the port. */
async function explainStart(error: unknown): Promise<never> {
  if (error instanceof Error && error.name === "ConfigurationError") {
    const issues = "issues" in error ? objects(error.issues) : [];
    const typed = issues.length > 0 &&
      issues.every(({ path }) => typeof path === "string" && path.startsWith("--"));
    throw new CommandFailed(typed ? EXIT.usage : EXIT.configuration, printable(error.message));
  }
  if (error instanceof ListenError) {
    throw new CommandFailed(EXIT.failed, printable(error.message), await holderHint(error));
  }
  if (error instanceof SecretFileError || error instanceof StateLockError) {
    throw new CommandFailed(EXIT.failed, printable(error.message));
  }
  throw error;
}

/** Names who has the port, where that can be seen. */
async function holderHint({ reason, message }: ListenError): Promise<string | undefined> {
  const port = /:(\d+): /.exec(message)?.[1];
  if (reason !== "in-use" || port === undefined) return undefined;
  const { portHolder } = await import("./port_holder.ts");
  const holder = (await portHolder(Number(port)))?.holder;
  return holder === undefined ? undefined : `it is pid ${holder.pid} (${holder.program})`;
}
