/** The generated parts of the control channel's page, derived from what the gateway runs on. */

import { MAX_CONNECTIONS, SILENT_BOUNDS } from "../src/adapters/line_listener.ts";
import { MAX_LINE_BYTES } from "../src/core/lines.ts";
import { MAX_HELD_BYTES } from "../src/core/outbox.ts";
import { STALL_DEADLINE_MS } from "../src/core/driver.ts";
import { EVENTS } from "../src/protocols/control/events.ts";
import { MAX_CALLS_IN_FLIGHT } from "../src/protocols/control/machine.ts";
import { METHODS } from "../src/protocols/control/methods.ts";
import { MAX_BUFFERED_BYTES } from "../src/protocols/control/mod.ts";
import { markdownTable } from "./generated_section.ts";
import { type Limit, limitTable, overflowText } from "./wire_tables.ts";
import { schemaText } from "./schema_text.ts";

const LIMITS: readonly Limit[] = [
  [
    "One line, without its end",
    MAX_LINE_BYTES,
    "bytes",
    'an error with the id `""`, then the connection ends',
  ],
  ["Requests of one connection that run at once", MAX_CALLS_IN_FLIGHT, "requests", "an error"],
  ["Connections at once", MAX_CONNECTIONS, "connections", "one more is closed at once"],
  [
    "Connections that have not sent a line",
    SILENT_BOUNDS.total,
    "connections",
    "the oldest of them gives way",
  ],
  ["Events that wait for a slow client", MAX_BUFFERED_BYTES, "bytes", "the connection ends"],
  [
    "Answers that wait for a slow client",
    MAX_HELD_BYTES,
    "bytes",
    "the connection ends; reading stops long before",
  ],
  [
    "Time in which a client that is behind takes next to nothing",
    STALL_DEADLINE_MS,
    "ms",
    "the connection ends",
  ],
];

/** Sections of the page by name. */
export const CONTROL_SECTIONS: readonly (readonly [name: string, content: string])[] = [
  [
    "methods",
    markdownTable(
      ["method", "params", "payload", "what it does"],
      [...METHODS.values()].map(({ name, params, result, summary }) => [
        `\`${name}\``,
        `\`${schemaText(params)}\``,
        `\`${schemaText(result)}\``,
        summary,
      ]),
    ),
  ],
  [
    "events",
    markdownTable(
      ["event", "for a slow client", "what it says"],
      Object.entries(EVENTS).map(([name, { overflow, summary }]) => [
        `\`${name}\``,
        overflowText(overflow),
        summary,
      ]),
    ),
  ],
  ["limits", limitTable(LIMITS)],
];
