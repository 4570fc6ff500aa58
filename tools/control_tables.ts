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
import { type Limit, limitTable, overflowText } from "./openclaw_tables.ts";
import { schemaText } from "./schema_text.ts";

const LIMITS: readonly Limit[] = [
  {
    what: "One line, without its end",
    value: MAX_LINE_BYTES,
    unit: "bytes",
    verdict: 'an error with the id `""`, then the connection ends',
  },
  {
    what: "Requests of one connection that run at once",
    value: MAX_CALLS_IN_FLIGHT,
    unit: "requests",
    verdict: "an error",
  },
  {
    what: "Connections at once",
    value: MAX_CONNECTIONS,
    unit: "connections",
    verdict: "one more is closed at once",
  },
  {
    what: "Connections that have not sent a line",
    value: SILENT_BOUNDS.total,
    unit: "connections",
    verdict: "the oldest of them gives way",
  },
  {
    what: "Events that wait for a slow client",
    value: MAX_BUFFERED_BYTES,
    unit: "bytes",
    verdict: "the connection ends",
  },
  {
    what: "Answers that wait for a slow client",
    value: MAX_HELD_BYTES,
    unit: "bytes",
    verdict: "the connection ends; reading stops long before",
  },
  {
    what: "Time in which a client that is behind takes nothing at all",
    value: STALL_DEADLINE_MS,
    unit: "ms",
    verdict: "the connection ends",
  },
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
