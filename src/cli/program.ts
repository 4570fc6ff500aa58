/** The command line: which commands there are, what they take, and what their help says. */

import { Command, CommanderError, Option } from "commander";
import { quote } from "../core/quote.ts";
import { CommandFailed, EXIT, EXIT_MEANINGS, type ExitCode } from "./exit_code.ts";
import { concluded, printFailure } from "./failure.ts";
import type { Flags, ServeFlags } from "./flags.ts";
import { printable } from "./foreign_text.ts";
import type { Invocation } from "./gateway_access.ts";
import { commandsFirst } from "./help_order.ts";
import type { StartGateway } from "./serve_command.ts";
import { suggestion } from "./suggestion.ts";
import type { Terminal } from "./terminal.ts";
import { VERSION } from "../version.ts";

/** Longest wait that `--timeout` takes, in milliseconds: a day. */
const MAX_TIMEOUT_MS = 86_400_000;

/** What a command line runs in. */
export interface Surroundings {
  readonly terminal: Terminal;
  /** Loaded when it is needed, so that the other commands start without the gateway's parts. */
  readonly startGateway: () => Promise<StartGateway>;
}

/** Runs one command line and returns how the program should exit. Never throws. */
export async function run(
  args: readonly string[],
  surroundings: Surroundings,
): Promise<ExitCode> {
  const { terminal } = surroundings;
  let exit: ExitCode = EXIT.ok;
  const asked = asksForJson(args);
  let complaint = "";
  const program = buildProgram(surroundings, {
    finish: (code) => {
      exit = code;
    },
    complain: (text) => {
      complaint += text;
      if (!asked) terminal.err(printable(text));
    },
  });
  return await concluded(async () => {
    try {
      await program.parseAsync([...args], { from: "user" });
      return exit;
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      // 0 is for help and version that were asked for.
      if (error.exitCode === 0) return EXIT.ok;
      if (asked) printFailure(terminal, usageFailure(complaint), { json: true });
      return EXIT.usage;
    }
  }, { terminal, json: asked });
}

/** Whether `--json` is given; known before the command line is understood, which may fail. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? args.length : end).includes("--json");
}

/** What the parser complained of: an error with a hint in brackets below it, or the help of a command. */
function usageFailure(complaint: string): CommandFailed {
  const [first = "", second] = printable(complaint).trim().split("\n");
  if (!first.startsWith("error: ")) {
    return new CommandFailed(EXIT.usage, "a command is missing", first);
  }
  return new CommandFailed(
    EXIT.usage,
    first.slice("error: ".length),
    second?.replace(/^\(|\)$/g, ""),
  );
}

function buildProgram(
  { terminal, startGateway }: Surroundings,
  { finish, complain }: {
    readonly finish: (code: ExitCode) => void;
    /** Takes what the parser says of a wrong command line. */
    readonly complain: (text: string) => void;
  },
): Command {
  const program = new Command("clawgate");
  const invocation = (): Invocation => ({ flags: program.opts<Flags>(), terminal });
  program
    .description("A gateway for agents and the people who talk to them.")
    .version(VERSION, "-V, --version", "print the release")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .configureHelp({ showGlobalOptions: true, formatHelp: commandsFirst })
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: complain,
    })
    .exitOverride()
    .addHelpText("after", AFTER_HELP);
  addGlobalFlags(program);

  program.command("serve", { isDefault: true })
    .description("run the gateway (this is what happens without a command)")
    .option("--port <port>", "TCP port; 0 takes any free one (CLAWGATE_PORT)")
    .option("--bind <where>", "loopback, lan, tailnet or an address (CLAWGATE_BIND)")
    .allowExcessArguments()
    .action(async (own: ServeFlags, command: Command) => {
      refuseUnexpected(program, command.args);
      const { serveCommand } = await import("./serve_command.ts");
      const start = await startGateway();
      finish(await serveCommand(terminal, { ...program.opts<Flags>(), ...own }, start));
    });

  program.command("call")
    .description("call a method and print its answer as JSON")
    .argument("<method>", "such as health or sessions.list")
    .option("--params <json>", "its parameters as JSON; - reads them from standard input")
    .option("--expect-final", "wait for the outcome of a method that accepts first, such as agent")
    .action(async (method: string, own: { params?: string; expectFinal?: boolean }) => {
      const { callCommand } = await import("./call_command.ts");
      await callCommand(invocation(), {
        method,
        ...(own.params === undefined ? {} : { params: own.params }),
        ...(own.expectFinal === undefined ? {} : { final: own.expectFinal }),
      });
    });

  program.command("health")
    .description("how the gateway is")
    .option("--probe", "look anew instead of at the last result")
    .action(async (own: { probe?: boolean }) => {
      const { healthCommand } = await import("./health_command.ts");
      await healthCommand(invocation(), own.probe === true);
    });

  program.command("status")
    .description("what the gateway is doing")
    .action(async () => {
      const { statusCommand } = await import("./health_command.ts");
      await statusCommand(invocation());
    });

  program.command("chat")
    .description("send a message and watch the answer; Ctrl-C stops the run")
    .argument("[message...]", "without one, standard input: line by line when typed")
    .option("--session <key>", "which session; default main")
    .option("--thinking <level>", "off, minimal, low, medium or high")
    .action(async (words: readonly string[], own: { session?: string; thinking?: string }) => {
      const { chatCommand } = await import("./chat_command.ts");
      finish(
        await chatCommand(invocation(), {
          ...(words.length === 0 ? {} : { message: words.join(" ") }),
          ...own,
        }),
      );
    });

  const devices = program.command("devices")
    .description("paired devices; works with the gateway running or stopped");
  devices.command("list").description("who is paired and who asks to be")
    .action(async () => (await loadDevices()).listDevices(invocation()));
  for (const verdict of ["approve", "reject"] as const) {
    devices.command(verdict).description(`${verdict} a request`)
      .argument("<id>", "the request's id, or its beginning")
      .action(async (requestId: string) =>
        (await loadDevices()).decideDevice(invocation(), { verdict, requestId })
      );
  }

  const config = program.command("config")
    .description("settings; works with the gateway running or stopped");
  config.command("get").description("print the settings in effect, or one; secrets are hidden")
    .argument("[key]", "such as gateway.port or agents.list.0.name")
    .action(async (key: string | undefined) => (await loadConfig()).configGet(invocation(), key));
  config.command("set").description("change one setting; null takes it away")
    .argument("<key>", "such as gateway.port")
    .argument("<value>", "JSON or text; - reads it from standard input, for a secret")
    .action(async (key: string, value: string) =>
      (await loadConfig()).configSet(invocation(), { key, value })
    );
  config.command("validate").description("check a settings file")
    .argument("[file]", "default the gateway's own")
    .action(async (file: string | undefined) =>
      finish(await (await loadConfig()).configValidate(invocation(), file))
    );
  config.command("path").description("print where the settings file is")
    .action(async () => (await loadConfig()).configPath(invocation()));

  const token = program.command("token").description("the secret of this host's gateway");
  token.command("show").description("print it").action(async () =>
    (await loadToken()).tokenShow(invocation())
  );
  token.command("rotate").description("replace it").action(async () =>
    (await loadToken()).tokenRotate(invocation())
  );

  program.command("doctor")
    .description("look for what keeps the gateway from working, and say what to do")
    .option("--probe", "also ask the model providers over the network")
    .action(async (own: { probe?: boolean }) => {
      const { doctorCommand } = await import("./doctor_command.ts");
      finish(await doctorCommand(invocation(), { probe: own.probe === true }));
    });
  return program;
}

// Each command's module is loaded when it runs: a gateway does not carry the others in its memory.
const loadDevices = () => import("./devices_command.ts");
const loadConfig = () => import("./config_command.ts");
const loadToken = () => import("./token_command.ts");

function addGlobalFlags(program: Command): void {
  program
    .option("--url <url>", "the gateway's address; default this host's own")
    .option(
      "--token <token>",
      "its token; other users see a command line, so prefer CLAWGATE_TOKEN",
    )
    .option(
      "--password <password>",
      "its password, where it asks for one; other users see a command line",
    )
    .addOption(
      new Option("--timeout <ms>", "how long to wait for the gateway").argParser(parseTimeout),
    )
    .option("--json", "print JSON")
    .option("--state-dir <folder>", "the state folder; default ~/.clawgate (CLAWGATE_STATE_DIR)")
    .option("--config <file>", "the settings file; default in the state folder (CLAWGATE_CONFIG)");
}

function parseTimeout(text: string): number {
  const ms = Number(text);
  if (/^\d+$/.test(text) && ms >= 1 && ms <= MAX_TIMEOUT_MS) return ms;
  throw new CommandFailed(
    EXIT.usage,
    `--timeout ${quote(text, 40)} is not a number of milliseconds`,
    `write a whole number from 1 to ${MAX_TIMEOUT_MS}`,
  );
}

/** `serve` is the command when none is named, so a mistyped command arrives here as its argument. */
function refuseUnexpected(program: Command, unexpected: readonly string[]): void {
  const [word] = unexpected;
  if (word === undefined) return;
  const near = suggestion(word, program.commands.map((command) => command.name()));
  throw new CommandFailed(
    EXIT.usage,
    `there is no command ${quote(word, 60)}`,
    near === undefined ? "--help lists the commands" : `did you mean ${quote(near)}?`,
  );
}

const AFTER_HELP = `
Environment:
  CLAWGATE_TOKEN       the token, out of sight of other users' process lists
  CLAWGATE_PORT, CLAWGATE_BIND, CLAWGATE_STATE_DIR, CLAWGATE_CONFIG
  A flag counts before the environment, the environment before the settings file.

Exit status:
${EXIT_MEANINGS.map(([code, text]) => `  ${String(code).padStart(3)}  ${text}`).join("\n")}

Examples:
  serve --port 0 --state-dir ./state
  chat "hello" --session main
  call sessions.list --params '{"limit": 5}'
`;
