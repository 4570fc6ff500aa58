/**
 * `deno task bench`: measures the gateway beside its baselines and prints figures. The figure that
 * counts is the server's own processor time, as other programs on the machine change it least.
 */

import { parseArgs } from "node:util";
import type { Figure, Group } from "./figure.ts";
import { callsGroup } from "./group_calls.ts";
import { chatGroup } from "./group_chat.ts";
import { connectGroup } from "./group_connect.ts";
import { controlGroup } from "./group_control.ts";
import { dispatchGroup } from "./group_dispatch.ts";
import { fanoutGroup } from "./group_fanout.ts";
import { frameGroup } from "./group_frame.ts";
import { handshakeGroup } from "./group_handshake.ts";
import { linkGroup } from "./group_link.ts";
import { slowReaderGroup } from "./group_slow_reader.ts";
import { startGroup } from "./group_start.ts";
import { streamGroup } from "./group_stream.ts";
import { jsonOf, tableOf } from "./report.ts";

const GROUPS: readonly Group[] = [
  frameGroup,
  linkGroup,
  dispatchGroup,
  callsGroup,
  fanoutGroup,
  handshakeGroup,
  connectGroup,
  chatGroup,
  streamGroup,
  controlGroup,
  slowReaderGroup,
  startGroup,
];

const HELP = `deno task bench [--quick] [--json] [group…]

  --quick  shorter and less exact
  --json   one JSON object instead of tables
  --help   this text

Groups, all of them unless some are named:
${GROUPS.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join("\n")}

Exit status: 0 when everything was measured, whatever the figures; 1 when something failed; 2 for a
group or flag that there is none of.`;

/** Runs the groups that the arguments name; resolves with the exit status. */
async function bench(args: readonly string[]): Promise<number> {
  const asked = readArguments(args);
  if (typeof asked === "string") {
    console.error(asked);
    return 2;
  }
  const { groups, quick, json, help } = asked;
  if (help) {
    console.log(HELP);
    return 0;
  }
  const measured: { group: string; figures: readonly Figure[] }[] = [];
  for (const group of groups) {
    const figures: Figure[] = [];
    await group.run({ quick }, (figure) => figures.push(figure));
    measured.push({ group: group.name, figures });
    if (!json) console.log(tableOf(group.name, figures));
  }
  if (json) console.log(jsonOf(measured));
  return 0;
}

interface Asked {
  readonly groups: readonly Group[];
  readonly quick: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/** What the arguments ask for, or what is wrong with them. */
function readArguments(args: readonly string[]): Asked | string {
  let parsed;
  try {
    parsed = parseArgs({
      args: args.filter((word) => word !== "--"),
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}; --help lists what there is`;
  }
  const { values: { quick, json, help }, positionals } = parsed;
  const groups = GROUPS.filter(({ name }) => positionals.includes(name));
  const unknown = positionals.find((word) => GROUPS.every(({ name }) => name !== word));
  if (unknown !== undefined) {
    const names = GROUPS.map(({ name }) => name).join(", ");
    return `there is no group ${JSON.stringify(unknown)}; there are ${names}`;
  }
  return { groups: positionals.length === 0 ? GROUPS : groups, quick, json, help };
}

if (import.meta.main) Deno.exit(await bench(Deno.args));
