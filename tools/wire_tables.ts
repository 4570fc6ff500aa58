/** The tables that wire pages are made of. */

import type { Access } from "../src/core/access.ts";
import type { ErrorCode } from "../src/core/error.ts";
import type { Method } from "../src/core/method.ts";
import type { Overflow } from "../src/core/outbox.ts";
import type { EventDefinition } from "../src/protocols/openclaw/events.ts";
import { markdownTable } from "./generated_section.ts";
import { schemaText } from "./schema_text.ts";

/** One bound as the page shows it; the verdict is what happens there. */
export type Limit = readonly [what: string, value: number, unit: string, verdict: string];

/** Every method: name, who may call it, parameters, purpose; in the order of the names. */
export function methodTable(
  methods: readonly Pick<Method<never>, "name" | "access" | "params" | "summary" | "advertised">[],
): string {
  const rows = [...methods].sort(byName).map((entry) => [
    `${code(entry.name)}${entry.advertised ? "" : " (not advertised)"}`,
    entry.access.role,
    entry.access.scope === undefined ? "–" : code(entry.access.scope),
    code(schemaText(entry.params)),
    entry.summary,
  ]);
  return markdownTable(["method", "role", "scope", "params", "what it does"], rows);
}

/** Every event: name, who gets it, whether it is numbered, what becomes of it for a slow client. */
export function eventTable(events: Readonly<Record<string, EventDefinition>>): string {
  const rows = Object.entries(events).map(([name, event]) => [
    code(name),
    audience(event.audience),
    event.sequenced ? "yes" : "no",
    overflowText(event.overflow),
    event.summary,
  ]);
  return markdownTable(
    ["event", "who gets it", "`seq`", "for a slow client", "what it says"],
    rows,
  );
}

/** Every error code and what it means. */
export function errorTable(codes: readonly ErrorCode[]): string {
  return markdownTable(["code", "meaning"], codes.map((each) => [code(each), MEANING[each]]));
}

/** What becomes of a frame that a slow client does not take. */
export function overflowText(overflow: Overflow): string {
  return OVERFLOW[overflow];
}

/** Bounds with their units and verdicts. */
export function limitTable(limits: readonly Limit[]): string {
  const rows = limits.map(([what, value, unit, verdict]) => [
    what,
    `${value.toString().replace(/\B(?=(\d{3})+$)/g, " ")} ${unit}`,
    verdict,
  ]);
  return markdownTable(["what", "bound", "at the bound"], rows);
}

const OVERFLOW: Readonly<Record<Overflow, string>> = {
  drop: "left out",
  coalesce: "replaced by the newest",
  hold: "kept",
  disconnect: "kept up to the bound, then the connection ends",
};

const MEANING: Readonly<Record<ErrorCode, string>> = {
  INVALID_REQUEST: "The request is wrong or not allowed; the same request will fail again.",
  NOT_PAIRED: "A device identity is needed, or its pairing waits for approval.",
  NOT_LINKED: "A channel account is not linked.",
  AGENT_TIMEOUT: "An agent did not answer in time.",
  UNAVAILABLE: "The gateway cannot do it now; `retryable` and `retryAfterMs` say whether and when.",
};

function audience(access: Access | undefined): string {
  if (access === undefined) return "every connection";
  return access.scope === undefined ? `role ${code(access.role)}` : code(access.scope);
}

function code(text: string): string {
  return `\`${text}\``;
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}
