/** The one HTTP exchange of an answer: bounded in time and size, its failures put into words. */

import type { Cancel, Clock } from "../ports/clock.ts";
import type { ProviderEndpoint } from "./provider_endpoint.ts";
import {
  brokenFault,
  connectionFault,
  type Fault,
  fault,
  type FaultSource,
  httpFault,
  setting,
  silenceFault,
} from "./provider_fault.ts";

/**
 * Longest wait for the first byte of an answer, from the start of the request, in milliseconds. A
 * local provider may have to load the model's weights first. Verdict: the attempt ends.
 */
export const FIRST_BYTE_TIMEOUT_MS = 180_000;

/** Longest silence within an answer, in milliseconds. Verdict: the attempt ends. */
export const IDLE_TIMEOUT_MS = 90_000;

/**
 * Longest answer, in milliseconds: a hundred thousand tokens at thirty a second. It also ends a
 * stream of empty events, which is never silent. Verdict: the attempt ends.
 */
export const ANSWER_TIMEOUT_MS = 3_600_000;

/** Longest single event of a stream, in bytes; a whole answer in one event fits. Verdict: the attempt ends. */
export const MAX_EVENT_BYTES = 8 * 1024 * 1024;

/** Longest stream, in bytes: the largest answer with some sixty bytes of frame a character. Verdict: the attempt ends. */
const MAX_STREAM_BYTES = 256 * 1024 * 1024;

/** How much of an error's body is read, in bytes. Verdict: the rest is not read. */
const MAX_ERROR_BODY_BYTES = 16 * 1024;

/** What an exchange needs. */
export interface ExchangeOptions {
  readonly endpoint: ProviderEndpoint;
  readonly source: FaultSource;
  readonly clock: Clock;
  /** Ends the exchange. A fault aborts it too, its error being the reason. */
  readonly control: AbortController;
  /** Is told of the first fault, before anything else can be. */
  readonly onFault: (fault: Fault) => void;
}

/** The shape in which the provider libraries take a `fetch` of their user's. */
export type ProviderFetch = (
  input: string | URL | Request,
  init?: RequestInit,
) => Promise<Response>;

/**
 * A `fetch` for one request of a provider library. It resolves only to an event stream that
 * succeeded; everything else rejects with a {@linkcode ModelError} and is told to `onFault`.
 * Redirects are not followed, so that a key never reaches another host.
 */
export function exchange(options: ExchangeOptions): ProviderFetch {
  const { endpoint, source, clock, control, onFault } = options;
  const { signal } = control;

  function fail(what: Fault): Error {
    if (!signal.aborted) {
      onFault(what);
      control.abort(what.error);
    }
    return what.error;
  }

  return async (input, init) => {
    const timers = watch(clock, signal);
    const silent = (waited: number) => () => fail(silenceFault(source, waited));
    timers.total(
      ANSWER_TIMEOUT_MS,
      () =>
        fail(
          fault(
            source,
            `was still answering after ${ANSWER_TIMEOUT_MS / 60_000} minutes: ask for less`,
          ),
        ),
    );
    timers.silence(FIRST_BYTE_TIMEOUT_MS, silent(FIRST_BYTE_TIMEOUT_MS));

    let response: Response;
    try {
      response = await fetch(target(input, endpoint), {
        method: init?.method,
        headers: headersOf(init, endpoint),
        body: init?.body,
        signal,
        redirect: "manual",
      });
    } catch (thrown) {
      timers.stop();
      if (signal.aborted) throw signal.reason;
      throw fail(connectionFault(source, thrown));
    }

    const problem = await refusal(response, { source, signal });
    if (problem !== undefined) {
      timers.stop();
      if (signal.aborted) throw signal.reason;
      throw fail(problem);
    }
    const body = response.body;
    if (body === null) {
      timers.stop();
      throw fail(brokenFault(source));
    }
    const guarded = guard(body.getReader(), { source, signal, timers, fail, silent });
    return new Response(guarded, { status: response.status, headers: response.headers });
  };
}

/** Timers of one exchange: how long it takes, and how long it has been silent. */
interface Timers {
  total(delayMs: number, task: () => void): void;
  /** Replaces the earlier one. */
  silence(delayMs: number, task: () => void): void;
  heard(): void;
  stop(): void;
}

function watch(clock: Clock, signal: AbortSignal): Timers {
  let cancelTotal: Cancel = () => {};
  let cancelSilence: Cancel = () => {};
  function stop(): void {
    cancelTotal();
    cancelSilence();
    signal.removeEventListener("abort", stop);
  }
  signal.addEventListener("abort", stop, { once: true });
  return {
    total: (delayMs, task) => {
      cancelTotal = clock.after(delayMs, task);
    },
    silence: (delayMs, task) => {
      cancelSilence();
      cancelSilence = clock.after(delayMs, task);
    },
    heard: () => cancelSilence(),
    stop,
  };
}

interface GuardOptions {
  readonly source: FaultSource;
  readonly signal: AbortSignal;
  readonly timers: Timers;
  readonly fail: (what: Fault) => Error;
  readonly silent: (waited: number) => () => void;
}

/** The body, read on demand only: a slow reader here is never taken for silence there. */
function guard(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  { source, signal, timers, fail, silent }: GuardOptions,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const meter = eventMeter();
  let heardAny = false;
  let total = 0;
  return new ReadableStream({
    async pull(controller) {
      // Until the first byte, the timer of the request itself runs.
      if (heardAny) timers.silence(IDLE_TIMEOUT_MS, silent(IDLE_TIMEOUT_MS));
      try {
        const { done, value } = await reader.read();
        timers.heard();
        heardAny = true;
        if (done) {
          timers.stop();
          controller.close();
          return;
        }
        total += value.byteLength;
        if (total > MAX_STREAM_BYTES || meter(value) > MAX_EVENT_BYTES) {
          throw fail(fault(source, "sent more than one answer may hold: ask for less"));
        }
        controller.enqueue(value);
      } catch (thrown) {
        timers.stop();
        controller.error(signal.aborted ? signal.reason ?? thrown : fail(brokenFault(source)));
        // The body may be whole and merely too long; one that is broken has nothing left to release.
        await reader.cancel().catch(() => {});
      }
    },
    async cancel(reason) {
      timers.stop();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

/** Counts the bytes since the last blank line, which is where an event ends. */
function eventMeter(): (chunk: Uint8Array) => number {
  let event = 0;
  let line = 0;
  return (chunk) => {
    for (const byte of chunk) {
      event++;
      if (byte === 0x0a) {
        if (line === 0) event = 0;
        line = 0;
      } else if (byte !== 0x0d) line++;
    }
    return event;
  };
}

/** Why an answer is not the stream that was asked for. */
async function refusal(
  response: Response,
  { source, signal }: { source: FaultSource; signal: AbortSignal },
): Promise<Fault | undefined> {
  const { status } = response;
  const kind = (response.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (status === 200 && (kind === "" || kind === "text/event-stream")) return undefined;
  const body = await readStart(response, signal);
  if (status !== 200) {
    return httpFault(source, { status, body, retryAfterMs: retryAfter(response.headers) });
  }
  return fault(
    source,
    `answered with ${describeKind(kind)} instead of an event stream: check ${
      setting(source, "api")
    } and ${setting(source, "baseUrl")} in ${source.file}`,
  );
}

function describeKind(kind: string | undefined): string {
  if (kind === "text/html") return "a web page";
  if (kind === "application/json") return "a single JSON document";
  return "another kind of content";
}

/** The first bytes of a body as text; whatever breaks while reading ends it. */
async function readStart(response: Response, signal: AbortSignal): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let left = MAX_ERROR_BODY_BYTES;
  try {
    for await (const chunk of response.body) {
      text += decoder.decode(chunk.subarray(0, left), { stream: true });
      left -= chunk.byteLength;
      if (left <= 0 || signal.aborted) break;
    }
  } catch {
    // What has arrived says enough.
  }
  return text;
}

function retryAfter(headers: Headers): number | undefined {
  const seconds = Number.parseFloat(headers.get("retry-after") ?? "");
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

function target(input: string | URL | Request, endpoint: ProviderEndpoint): string {
  const url = input instanceof Request ? input.url : String(input);
  return endpoint.query === "" ? url : `${url}${endpoint.query}`;
}

function headersOf(init: RequestInit | undefined, endpoint: ProviderEndpoint): Headers {
  const headers = new Headers(init?.headers);
  if (endpoint.apiKey === undefined) headers.delete("x-api-key");
  for (const [name, value] of Object.entries(endpoint.headers)) headers.set(name, value);
  return headers;
}
