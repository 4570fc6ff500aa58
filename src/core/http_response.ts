/** Writes HTTP/1.1 answers: heads, chunked bodies, the switch to WebSocket and refusals. */

import type { HeaderField, HttpRefusal } from "./http_refusal.ts";
import { isToken } from "./http_syntax.ts";

/** Where the body of an answer ends. */
export type ResponseBody =
  /** After so many bytes. */
  | { readonly kind: "length"; readonly bytes: number }
  /** After {@linkcode CHUNK_END}; every piece goes through {@linkcode chunk}. Not for HTTP/1.0. */
  | { readonly kind: "chunked" }
  /** With the connection, which is never kept alive; for an HTTP/1.0 client and an unknown length. */
  | { readonly kind: "close" }
  /** There is none. */
  | { readonly kind: "none" }
  /** There is none, as HEAD asked for; what GET would have got is not said. */
  | { readonly kind: "unsaid" };

/** What {@linkcode responseHead} writes. */
export interface ResponseHeadOptions {
  /** 200 to 599; anything else is written as 500. */
  readonly status: number;
  /** The usual phrase of the status where missing or empty. */
  readonly statusText?: string;
  /** The application's fields, in order. */
  readonly headers: Iterable<HeaderField>;
  readonly body: ResponseBody;
  /** Whether another request may follow on the connection. */
  readonly keepAlive: boolean;
  /** An HTTP date; left out where missing or where the application set its own. */
  readonly date?: string;
}

/** What {@linkcode switchingProtocols} writes. */
export interface SwitchingOptions {
  /** The value of Sec-WebSocket-Accept. */
  readonly accept: string;
  /** The subprotocol that was chosen; left out where it is no token. */
  readonly protocol?: string;
}

/** Ends a chunked body: the last chunk and no trailers. Never written to. */
export const CHUNK_END: Uint8Array<ArrayBuffer> = new Uint8Array([48, 13, 10, 13, 10]);

/** Fields that speak of the connection, not of the answer; only the writer knows them. */
const CONNECTION_FIELDS: readonly string[] = [
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Phrases of the statuses that the gateway itself answers with, and their neighbours. */
const PHRASES: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

const LINE_END = "\r\n";
const CR = 13;
const LF = 10;

const encoder = new TextEncoder();

/**
 * The head of an answer, up to and with its empty line. Fields of the connection are the writer's own:
 * those that the application set are dropped, as are fields whose name is no token. CR, LF, NUL and
 * other control characters become spaces, characters beyond Latin-1 become `?`. A 204 or 304 carries
 * neither length nor coding, nor does an answer to HEAD; any other without a body says `content-length: 0`.
 */
export function responseHead(options: ResponseHeadOptions): Uint8Array<ArrayBuffer> {
  const { status, body } = options;
  const code = Number.isInteger(status) && status >= 200 && status <= 599 ? status : 500;
  const phrase = visible(options.statusText || PHRASES[code] || "Status");
  const fields = fieldLines(options.headers, (name) => !CONNECTION_FIELDS.includes(name));
  const stays = options.keepAlive && body.kind !== "close";
  const date = options.date === undefined || fields.names.has("date")
    ? ""
    : `date: ${visible(options.date)}${LINE_END}`;
  return latin1(
    `HTTP/1.1 ${code} ${phrase}${LINE_END}${fields.lines}${date}${delimiter(code, body)}` +
      `connection: ${stays ? "keep-alive" : "close"}${LINE_END}${LINE_END}`,
  );
}

/** One piece of a chunked body in its frame; of no bytes nothing, as an empty chunk would end the body. */
export function chunk(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return new Uint8Array(0);
  const size = encoder.encode(bytes.length.toString(16));
  const framed = new Uint8Array(size.length + bytes.length + 4);
  framed.set(size);
  framed[size.length] = CR;
  framed[size.length + 1] = LF;
  framed.set(bytes, size.length + 2);
  framed[framed.length - 2] = CR;
  framed[framed.length - 1] = LF;
  return framed;
}

/** The 101 that turns a connection into a WebSocket. */
export function switchingProtocols(options: SwitchingOptions): Uint8Array<ArrayBuffer> {
  const { accept, protocol } = options;
  const chosen = protocol !== undefined && isToken(protocol)
    ? `sec-websocket-protocol: ${protocol}${LINE_END}`
    : "";
  return latin1(
    `HTTP/1.1 101 Switching Protocols${LINE_END}upgrade: websocket${LINE_END}` +
      `connection: Upgrade${LINE_END}sec-websocket-accept: ${visible(accept)}${LINE_END}` +
      `${chosen}${LINE_END}`,
  );
}

/** A complete answer to a request that was refused: its reason as plain text, then the end. */
export function refusalResponse(refusal: HttpRefusal): Uint8Array<ArrayBuffer> {
  const { status, reason, headers = [] } = refusal;
  const body = encoder.encode(`${reason}\n`);
  // An Upgrade field counts only where Connection names it (RFC 9110, section 7.8).
  const upgrade = headers.find(([name]) => name.toLowerCase() === "upgrade")?.[1];
  const fields = fieldLines(headers, (name) => !CONNECTION_FIELDS.includes(name));
  const head = latin1(
    `HTTP/1.1 ${status} ${PHRASES[status] ?? "Refused"}${LINE_END}` +
      `content-type: text/plain; charset=utf-8${LINE_END}x-content-type-options: nosniff${LINE_END}` +
      `content-length: ${body.length}${LINE_END}${fields.lines}` +
      (upgrade === undefined ? "" : `upgrade: ${visible(upgrade)}${LINE_END}`) +
      `connection: close${upgrade === undefined ? "" : ", upgrade"}${LINE_END}${LINE_END}`,
  );
  const response = new Uint8Array(head.length + body.length);
  response.set(head);
  response.set(body, head.length);
  return response;
}

/** Fields as lines, and their names in lower case. */
function fieldLines(
  headers: Iterable<HeaderField>,
  keeps: (name: string) => boolean,
): { readonly lines: string; readonly names: ReadonlySet<string> } {
  const names = new Set<string>();
  let lines = "";
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (!isToken(name) || !keeps(lower)) continue;
    names.add(lower);
    lines += `${name}: ${visible(value)}${LINE_END}`;
  }
  return { lines, names };
}

/** What says where the body ends. */
function delimiter(status: number, body: ResponseBody): string {
  if (status === 204 || status === 304) return "";
  switch (body.kind) {
    case "length":
      return `content-length: ${body.bytes}${LINE_END}`;
    case "chunked":
      return `transfer-encoding: chunked${LINE_END}`;
    case "close":
    case "unsaid":
      return "";
    case "none":
      return `content-length: 0${LINE_END}`;
  }
}

/** A text that stays within its line; the C1 characters stay, as bytes of UTF-8 pass as Latin-1. */
function visible(text: string): string {
  return text.replace(/(?![\t\x80-\x9f])\p{Cc}/gu, " ").trim();
}

/** Bytes of a text; `?` for a character that Latin-1 does not have. */
function latin1(text: string): Uint8Array<ArrayBuffer> {
  const bytes = encoder.encode(text);
  // As many bytes of UTF-8 as characters: they are ASCII, and the same bytes.
  if (bytes.length === text.length) return bytes;
  return Uint8Array.from(text, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return code > 0xff ? 0x3f : code;
  });
}
