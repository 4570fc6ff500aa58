/**
 * Writes the generated parts of the wire pages; with `--check` it writes nothing and exits with 1 when
 * a page is out of date.
 */

import { MAX_PINGS, PING_WINDOW_MS } from "../src/adapters/framed_socket.ts";
import { REQUEST_TIMES } from "../src/adapters/request_stream.ts";
import { ASK_BY_MS, DROP_BY_MS } from "../src/adapters/silence_watch.ts";
import { HTTP_BOUNDS, MAX_FRAGMENTS } from "../src/adapters/tcp_listener.ts";
import { TLS_HANDSHAKE_BOUNDS, TLS_HANDSHAKE_TIMEOUT_MS } from "../src/adapters/tls_server.ts";
import { STALL_DEADLINE_MS } from "../src/core/driver.ts";
import { ERROR_CODES } from "../src/core/error.ts";
import { HANDSHAKE_BOUNDS } from "../src/core/handshake_gate.ts";
import { MAX_HEAD_BYTES } from "../src/core/http_head_scanner.ts";
import { CLOSE_DEADLINE_MS } from "../src/core/link.ts";
import { MAX_JSON_DEPTH, MAX_JSON_NODES } from "../src/core/json.ts";
import { MAX_HELD_BYTES } from "../src/core/outbox.ts";
import { MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS } from "../src/protocols/openclaw/attachments.ts";
import { MAX_HANDSHAKE_BYTES } from "../src/protocols/openclaw/connection.ts";
import { EVENTS } from "../src/protocols/openclaw/events.ts";
import { MAX_BUFFERED_BYTES, MAX_PAYLOAD_BYTES } from "../src/protocols/openclaw/hello.ts";
import {
  HANDSHAKE_TIMEOUT_MS,
  MAX_CALLS_IN_FLIGHT,
  MAX_EARLY_REQUESTS,
  MAX_HANDSHAKE_MESSAGE,
} from "../src/protocols/openclaw/machine.ts";
import { METHODS } from "../src/protocols/openclaw/method_table.ts";
import { MAX_CONNECTIONS } from "../src/protocols/openclaw/mod.ts";
import {
  JOURNAL_EVENTS,
  MAX_CLOSED_CONNECTIONS,
  RESUME_WINDOW_MS,
} from "../src/protocols/openclaw/resume.ts";
import { LOCK_OUT } from "../src/services/auth.ts";
import { MAX_SIGNATURE_SKEW_MS } from "../src/services/device_identity.ts";
import { PENDING_TTL_MS } from "../src/services/pending_devices.ts";
import { RUN_RECORD_RETENTION_MS } from "../src/services/run_record.ts";
import { PARTIAL_INTERVAL_MS } from "../src/services/run_text.ts";
import { TICK_INTERVAL_MS } from "../src/services/ticker.ts";
import { CHAT_SECTIONS } from "./chat_tables.ts";
import { CONTROL_SECTIONS } from "./control_tables.ts";
import { replaceSection } from "./generated_section.ts";
import { errorTable, eventTable, type Limit, limitTable, methodTable } from "./openclaw_tables.ts";

const LIMITS: readonly Limit[] = [
  {
    what: "One message of a connected client (`policy.maxPayload`)",
    value: MAX_PAYLOAD_BYTES,
    unit: "bytes",
    verdict: "close 1009",
  },
  {
    what: "One message before hello-ok",
    value: MAX_HANDSHAKE_MESSAGE,
    unit: "bytes",
    verdict: "close 1009",
  },
  {
    what: "All messages before hello-ok",
    value: MAX_HANDSHAKE_BYTES,
    unit: "bytes",
    verdict: "close 1009",
  },
  {
    what: "Fragments of one message",
    value: MAX_FRAGMENTS,
    unit: "frames",
    verdict: "close 1009",
  },
  {
    what: `Pings and pongs of a client in ${PING_WINDOW_MS / 1_000} seconds`,
    value: MAX_PINGS,
    unit: "frames",
    verdict: "close 1008 `too many pings`",
  },
  {
    what: "Events that wait for a slow client (`policy.maxBufferedBytes`)",
    value: MAX_BUFFERED_BYTES,
    unit: "bytes",
    verdict: "close 1008 `slow consumer`; see the event table for what is left out before",
  },
  {
    what: "Answers that wait for a slow client",
    value: MAX_HELD_BYTES,
    unit: "bytes",
    verdict: "close 1008 `slow consumer`; reading stops long before",
  },
  {
    what: "Time in which a client that is behind takes next to nothing",
    value: STALL_DEADLINE_MS,
    unit: "ms",
    verdict: "close 1008 `slow consumer`, and dropped a second later",
  },
  {
    what: "Silence of a client until it is pinged",
    value: ASK_BY_MS,
    unit: "ms",
    verdict: "–",
  },
  {
    what: "Silence of a client in all",
    value: DROP_BY_MS,
    unit: "ms",
    verdict: "the socket is dropped",
  },
  {
    what: "Time between two `tick` events (`policy.tickIntervalMs`)",
    value: TICK_INTERVAL_MS,
    unit: "ms",
    verdict: "–",
  },
  {
    what: "Time until `connect` is answered",
    value: HANDSHAKE_TIMEOUT_MS,
    unit: "ms",
    verdict: "close 1000",
  },
  {
    what: "Requests behind `connect` that wait for hello-ok",
    value: MAX_EARLY_REQUESTS,
    unit: "requests",
    verdict: "close 1008",
  },
  {
    what: "Requests of one connection that run at once",
    value: MAX_CALLS_IN_FLIGHT,
    unit: "requests",
    verdict: "`UNAVAILABLE`, retryable",
  },
  {
    what: "Connections at once",
    value: MAX_CONNECTIONS,
    unit: "connections",
    verdict: "close 1013",
  },
  {
    what: "Connections of one source without hello-ok",
    value: HANDSHAKE_BOUNDS.perSource,
    unit: "connections",
    verdict: "the oldest gives way",
  },
  {
    what: "Connections without hello-ok in all",
    value: HANDSHAKE_BOUNDS.total,
    unit: "connections",
    verdict: "the oldest of the source with most gives way",
  },
  {
    what: "Connections of one source before the upgrade, or for HTTP",
    value: HTTP_BOUNDS.perSource,
    unit: "connections",
    verdict: "the oldest gives way",
  },
  {
    what: "Such connections in all",
    value: HTTP_BOUNDS.total,
    unit: "connections",
    verdict: "the oldest of the source with most gives way",
  },
  {
    what: "TLS handshakes of one source at once",
    value: TLS_HANDSHAKE_BOUNDS.perSource,
    unit: "connections",
    verdict: "the oldest gives way",
  },
  {
    what: "TLS handshakes in all",
    value: TLS_HANDSHAKE_BOUNDS.total,
    unit: "connections",
    verdict: "the oldest of the source with most gives way",
  },
  {
    what: "Time for a TLS handshake",
    value: TLS_HANDSHAKE_TIMEOUT_MS,
    unit: "ms",
    verdict: "the socket is dropped",
  },
  {
    what: "Head of the request that asks for the upgrade",
    value: MAX_HEAD_BYTES,
    unit: "bytes",
    verdict: "status 431",
  },
  {
    what: "Time for that head",
    value: REQUEST_TIMES.head,
    unit: "ms",
    verdict: "the socket is dropped",
  },
  {
    what: "Time for the peer to answer a close",
    value: CLOSE_DEADLINE_MS,
    unit: "ms",
    verdict: "the socket is dropped",
  },
  { what: "Nesting of a message", value: MAX_JSON_DEPTH, unit: "levels", verdict: "refused" },
  {
    what: "Members and elements of a message",
    value: MAX_JSON_NODES,
    unit: "values",
    verdict: "refused",
  },
  {
    what: "Attachments of a message",
    value: MAX_ATTACHMENTS,
    unit: "attachments",
    verdict: "`INVALID_REQUEST`",
  },
  {
    what: "One attachment, decoded",
    value: MAX_ATTACHMENT_BYTES,
    unit: "bytes",
    verdict: "`INVALID_REQUEST`",
  },
  {
    what: "Wrong secrets of one source in a minute",
    value: LOCK_OUT.failures,
    unit: "attempts",
    verdict: `locked out for ${LOCK_OUT.lockMs / 60_000} minutes`,
  },
  {
    what: "Difference between `device.signedAt` and the gateway's clock",
    value: MAX_SIGNATURE_SKEW_MS,
    unit: "ms",
    verdict: "`device signature expired`",
  },
  {
    what: "Life of an undecided pairing request",
    value: PENDING_TTL_MS,
    unit: "ms",
    verdict: "forgotten; the device's next connect makes a new one",
  },
  {
    what: "Shortest time between two `chat` deltas of a run",
    value: PARTIAL_INTERVAL_MS,
    unit: "ms",
    verdict: "the next delta carries the text so far",
  },
  {
    what: "Memory of an idempotency key, from its first use on",
    value: RUN_RECORD_RETENTION_MS,
    unit: "ms",
    verdict: "the key may start a new run",
  },
  {
    what: "Time to come back with `resume`",
    value: RESUME_WINDOW_MS,
    unit: "ms",
    verdict: '`status: "unknown"`',
  },
  {
    what: "Closed connections remembered for `resume`",
    value: MAX_CLOSED_CONNECTIONS,
    unit: "connections",
    verdict: "the oldest is forgotten",
  },
  {
    what: "Broadcasts remembered for `resume`",
    value: JOURNAL_EVENTS,
    unit: "events",
    verdict: '`status: "unknown"` for a client that was away longer',
  },
];

const SECTIONS: readonly (readonly [name: string, content: string])[] = [
  ["methods", methodTable([...METHODS.values()])],
  ["events", eventTable(EVENTS)],
  ["errors", errorTable(ERROR_CODES)],
  ["limits", limitTable(LIMITS)],
];

/** The generated sections of each wire's page, by its folder. */
const PAGES: Readonly<Record<string, readonly (readonly [name: string, content: string])[]>> = {
  openclaw: SECTIONS,
  control: CONTROL_SECTIONS,
  chat: CHAT_SECTIONS,
};

for (const [wire, sections] of Object.entries(PAGES)) {
  const name = `src/protocols/${wire}/README.md`;
  const path = new URL(`../${name}`, import.meta.url);
  const old = await Deno.readTextFile(path);
  const page = sections.reduce((text, [part, content]) => replaceSection(text, part, content), old);
  if (page === old) continue;
  if (Deno.args.includes("--check")) {
    console.error(`${name} is out of date; run: deno task docs:wire`);
    Deno.exit(1);
  }
  await Deno.writeTextFile(path, page);
}
