/** The generated parts of the OpenClaw wire's page, derived from what the gateway runs on. */

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
import { errorTable, eventTable, type Limit, limitTable, methodTable } from "./wire_tables.ts";

const LIMITS: readonly Limit[] = [
  [
    "One message of a connected client (`policy.maxPayload`)",
    MAX_PAYLOAD_BYTES,
    "bytes",
    "close 1009",
  ],
  ["One message before hello-ok", MAX_HANDSHAKE_MESSAGE, "bytes", "close 1009"],
  ["All messages before hello-ok", MAX_HANDSHAKE_BYTES, "bytes", "close 1009"],
  ["Fragments of one message", MAX_FRAGMENTS, "frames", "close 1009"],
  [
    `Pings and pongs of a client in ${PING_WINDOW_MS / 1_000} seconds`,
    MAX_PINGS,
    "frames",
    "close 1008 `too many pings`",
  ],
  [
    "Events that wait for a slow client (`policy.maxBufferedBytes`)",
    MAX_BUFFERED_BYTES,
    "bytes",
    "close 1008 `slow consumer`; see the event table for what is left out before",
  ],
  [
    "Answers that wait for a slow client",
    MAX_HELD_BYTES,
    "bytes",
    "close 1008 `slow consumer`; reading stops long before",
  ],
  [
    "Time in which a client that is behind takes next to nothing",
    STALL_DEADLINE_MS,
    "ms",
    "close 1008 `slow consumer`, and dropped a second later",
  ],
  ["Silence of a client until it is pinged", ASK_BY_MS, "ms", "–"],
  ["Silence of a client in all", DROP_BY_MS, "ms", "the socket is dropped"],
  ["Time between two `tick` events (`policy.tickIntervalMs`)", TICK_INTERVAL_MS, "ms", "–"],
  ["Time until `connect` is answered", HANDSHAKE_TIMEOUT_MS, "ms", "close 1000"],
  [
    "Requests behind `connect` that wait for hello-ok",
    MAX_EARLY_REQUESTS,
    "requests",
    "close 1008",
  ],
  [
    "Requests of one connection that run at once",
    MAX_CALLS_IN_FLIGHT,
    "requests",
    "`UNAVAILABLE`, retryable",
  ],
  ["Connections at once", MAX_CONNECTIONS, "connections", "close 1013"],
  [
    "Connections of one source without hello-ok",
    HANDSHAKE_BOUNDS.perSource,
    "connections",
    "the oldest gives way",
  ],
  [
    "Connections without hello-ok in all",
    HANDSHAKE_BOUNDS.total,
    "connections",
    "the oldest of the source with most gives way",
  ],
  [
    "Connections of one source before the upgrade, or for HTTP",
    HTTP_BOUNDS.perSource,
    "connections",
    "the one that has waited for a request longest gives way",
  ],
  [
    "Such connections in all",
    HTTP_BOUNDS.total,
    "connections",
    "such a one of the source with most gives way",
  ],
  [
    "TLS handshakes of one source at once",
    TLS_HANDSHAKE_BOUNDS.perSource,
    "connections",
    "the oldest gives way",
  ],
  [
    "TLS handshakes in all",
    TLS_HANDSHAKE_BOUNDS.total,
    "connections",
    "the oldest of the source with most gives way",
  ],
  ["Time for a TLS handshake", TLS_HANDSHAKE_TIMEOUT_MS, "ms", "the socket is dropped"],
  ["Head of the request that asks for the upgrade", MAX_HEAD_BYTES, "bytes", "status 431"],
  ["Time for that head", REQUEST_TIMES.head, "ms", "the socket is dropped"],
  ["Time for the peer to answer a close", CLOSE_DEADLINE_MS, "ms", "the socket is dropped"],
  ["Nesting of a message", MAX_JSON_DEPTH, "levels", "refused"],
  ["Members and elements of a message", MAX_JSON_NODES, "values", "refused"],
  ["Attachments of a message", MAX_ATTACHMENTS, "attachments", "`INVALID_REQUEST`"],
  ["One attachment, decoded", MAX_ATTACHMENT_BYTES, "bytes", "`INVALID_REQUEST`"],
  [
    "Wrong secrets of one source in a minute",
    LOCK_OUT.failures,
    "attempts",
    `locked out for ${LOCK_OUT.lockMs / 60_000} minutes, which the log says`,
  ],
  [
    "Difference between `device.signedAt` and the gateway's clock",
    MAX_SIGNATURE_SKEW_MS,
    "ms",
    "`device signature expired`",
  ],
  [
    "Life of an undecided pairing request",
    PENDING_TTL_MS,
    "ms",
    "forgotten; the device's next connect makes a new one",
  ],
  [
    "Shortest time between two `chat` deltas of a run",
    PARTIAL_INTERVAL_MS,
    "ms",
    "the next delta carries the text so far",
  ],
  [
    "Memory of an idempotency key, from its first use on",
    RUN_RECORD_RETENTION_MS,
    "ms",
    "the key may start a new run",
  ],
  ["Time to come back with `resume`", RESUME_WINDOW_MS, "ms", '`status: "unknown"`'],
  [
    "Closed connections remembered for `resume`",
    MAX_CLOSED_CONNECTIONS,
    "connections",
    "the oldest is forgotten",
  ],
  [
    "Broadcasts remembered for `resume`",
    JOURNAL_EVENTS,
    "events",
    '`status: "unknown"` for a client that was away longer',
  ],
];

/** Sections of the page by name. */
export const OPENCLAW_SECTIONS: readonly (readonly [name: string, content: string])[] = [
  ["methods", methodTable([...METHODS.values()])],
  ["events", eventTable(EVENTS)],
  ["errors", errorTable(ERROR_CODES)],
  ["limits", limitTable(LIMITS)],
];
