/**
 * Reads request heads of HTTP/1.0 and 1.1 from bytes that come in any split, strictly: what two
 * programs could read in two ways is refused, so that nothing is smuggled past one in front.
 */

import {
  type HeadLimits,
  HeadScanner,
  MAX_HEAD_BYTES,
  MAX_HEAD_FIELDS,
  MAX_METHOD_CHARS,
  MAX_TARGET_BYTES,
} from "./http_head_scanner.ts";
import { type HttpRefusal, refused } from "./http_refusal.ts";
import { isAuthority, isToken, isTokenRange, listHas } from "./http_syntax.ts";
import { quote } from "./quote.ts";
import { readUpgrade } from "./websocket_handshake.ts";

/** Digits of a Content-Length; one more might not be a safe integer. */
const MAX_LENGTH_DIGITS = 15;

/** First room for a head that did not come in one piece, in bytes. */
const FIRST_BUFFER_BYTES = 1024;

/** From so many characters on, engines make a slice of a text a view that keeps the whole of it. */
const SHARED_CHARS = 13;

/** Characters of foreign text in a refusal. */
const QUOTED_CHARS = 48;

/** Methods that ask for a tunnel or an echo of credentials; a Web `Request` has no such method either. */
const UNSERVED: readonly string[] = ["CONNECT", "TRACE", "TRACK"];

const VERSION = /^HTTP\/[0-9]\.[0-9]$/;

/** A target as a proxy is sent it: what stands before the path is its authority. */
const ABSOLUTE_FORM = /^https?:\/\/([^/?]*)(.*)$/i;

/** Path and query; no fragment, and no backslash in the path, which URL parsers take for a slash. */
const ORIGIN_FORM = /^\/[!-"$-[\]-~]*$|^\/[!-"$->@-[\]-~]*\?[!-"$-~]*$/;

const TAB = 0x09;
const SPACE = 0x20;

const decoder = new TextDecoder();

/** How the body of a request is delimited. */
export type RequestBody =
  | { readonly kind: "none" }
  /** At least one byte. */
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" };

/**
 * A request up to its body. Each field's value has memory of its own, so that keeping one for the life of
 * a connection does not keep the head.
 */
export interface RequestHead {
  /** A token in upper case, such as `GET`. */
  readonly method: string;
  /** Path and query; starts with `/`; printable ASCII without `#`. */
  readonly target: string;
  readonly version: "1.0" | "1.1";
  /**
   * Every field; values are bytes as Latin-1. Host is the authority of a target in absolute form where the
   * client sent no other, and only an HTTP/1.0 client may name none at all.
   */
  readonly headers: Headers;
  readonly body: RequestBody;
  /** Whether the client takes another answer on the connection. */
  readonly keepAlive: boolean;
  /** `websocket`: a complete and valid opening handshake. */
  readonly upgrade: "websocket" | "none";
  /** Of an opening handshake: 16 bytes in base64. */
  readonly webSocketKey?: string;
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectContinue: boolean;
}

/** What a push of bytes led to. */
export type HeadResult =
  | { readonly state: "more" }
  /** `rest` is a view of what followed the head in the pushed bytes. */
  | { readonly state: "head"; readonly head: RequestHead; readonly rest: Uint8Array }
  | HttpRefusal;

/**
 * Reads one head after another. After a head the reader is ready for the next one; after a refusal it
 * answers every push with that refusal. Pushed bytes are copied where the head is not complete with
 * them, so the caller may use its buffer again, except for `rest`. No byte is looked at twice in
 * search of the end, and a result does not depend on how the bytes were split.
 */
export class RequestHeadReader {
  readonly #limits: HeadLimits;
  /** What came of a head that is not complete; empty between heads. */
  #buffer = new Uint8Array(0);
  #filled = 0;
  #scanner: HeadScanner;
  #refusal: HttpRefusal | undefined;

  constructor(limits: Partial<HeadLimits> = {}) {
    this.#limits = {
      headBytes: limits.headBytes ?? MAX_HEAD_BYTES,
      fields: limits.fields ?? MAX_HEAD_FIELDS,
      targetBytes: limits.targetBytes ?? MAX_TARGET_BYTES,
    };
    this.#scanner = new HeadScanner(this.#limits);
  }

  /** Reads on. Bytes after the end of a head are not looked at. */
  push(chunk: Uint8Array): HeadResult {
    if (this.#refusal !== undefined) return this.#refusal;
    const before = this.#filled;
    const bytes = before === 0 ? chunk : this.#append(chunk);
    const end = this.#scanner.scan(bytes);
    if (typeof end === "object") return this.#refuse(end);
    if (end === 0) {
      if (before === 0) this.#append(chunk);
      return { state: "more" };
    }
    const { ascii, lines } = this.#scanner;
    const text = textOf(bytes.subarray(0, end), ascii);
    const head = readHead({ bytes, ascii, text, lines }, this.#limits);
    if ("state" in head) return this.#refuse(head);
    this.#reset();
    return { state: "head", head, rest: chunk.subarray(end - before) };
  }

  #append(chunk: Uint8Array): Uint8Array {
    const taken = chunk.subarray(0, this.#limits.headBytes - this.#filled);
    const needed = this.#filled + taken.length;
    if (needed > this.#buffer.length) {
      const doubled = Math.max(this.#buffer.length * 2, FIRST_BUFFER_BYTES, needed);
      const larger = new Uint8Array(Math.min(doubled, this.#limits.headBytes));
      larger.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = larger;
    }
    this.#buffer.set(taken, this.#filled);
    this.#filled = needed;
    return this.#buffer.subarray(0, needed);
  }

  #refuse(refusal: HttpRefusal): HttpRefusal {
    this.#reset();
    this.#refusal = refusal;
    return refusal;
  }

  #reset(): void {
    this.#buffer = new Uint8Array(0);
    this.#filled = 0;
    this.#scanner = new HeadScanner(this.#limits);
  }
}

/** A complete head. */
interface HeadSource {
  readonly bytes: Uint8Array;
  /** Whether no byte is 0x80 or more. */
  readonly ascii: boolean;
  /** The head as text, a character a byte. */
  readonly text: string;
  /** Where each line begins and, at the odd places, where its CRLF does. */
  readonly lines: readonly number[];
}

/** Bytes as text, a character a byte. */
function textOf(bytes: Uint8Array, ascii: boolean): string {
  if (ascii) return decoder.decode(bytes);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** A part of the head in memory of its own: what is kept of it does not keep the whole head. */
function ownText({ bytes, ascii, text }: HeadSource, { start, end }: Span): string {
  if (end - start < SHARED_CHARS) return text.slice(start, end);
  return textOf(bytes.subarray(start, end), ascii);
}

/** Where something is in the head. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** What the request line says. */
interface RequestLine {
  readonly method: string;
  readonly target: string;
  readonly version: "1.0" | "1.1";
  /** Of a target in absolute form. */
  readonly authority?: string;
}

/** The fields that decide on the connection, beside all of them. */
interface HeadFields {
  readonly headers: Headers;
  readonly hosts: string[];
  readonly lengths: string[];
  readonly codings: string[];
  readonly connection: string[];
  readonly upgrade: string[];
  readonly expect: string[];
  readonly keys: string[];
  readonly versions: string[];
  readonly protocols: string[];
}

function readHead(source: HeadSource, limits: HeadLimits): RequestHead | HttpRefusal {
  const [start = 0, end = 0] = source.lines;
  const request = readRequestLine(ownText(source, { start, end }), limits);
  if ("state" in request) return request;
  const fields = readFields(source);
  if ("state" in fields) return fields;
  const { method, target, version } = request;
  const hostFault = settleHost(fields, request);
  if (hostFault !== undefined) return hostFault;
  const body = readBodyKind(fields, version);
  if ("state" in body) return body;
  const connection = fields.connection.join();
  const upgrade = readUpgrade({
    method,
    version,
    connection,
    upgrade: fields.upgrade.join(),
    keys: fields.keys,
    versions: fields.versions,
    protocols: fields.protocols.join(),
    hasBody: body.kind !== "none",
  });
  if (upgrade.state === "refused") return upgrade;
  const expect = version === "1.1" ? fields.expect.join().toLowerCase() : "";
  if (expect !== "" && expect !== "100-continue") {
    return refused(417, `cannot meet the expectation ${quote(expect, QUOTED_CHARS)}; send none`);
  }
  return {
    method,
    target,
    version,
    headers: fields.headers,
    body,
    keepAlive: !listHas(connection, "close") &&
      (version === "1.1" || listHas(connection, "keep-alive")),
    upgrade: upgrade.state,
    ...(upgrade.state === "websocket" ? { webSocketKey: upgrade.key } : {}),
    expectContinue: expect !== "" && body.kind !== "none",
  };
}

function readRequestLine(line: string, limits: HeadLimits): RequestLine | HttpRefusal {
  const [method = "", target = "", protocol = "", more] = line.split(" ");
  if (!isToken(method) || target === "" || more !== undefined || !VERSION.test(protocol)) {
    return refused(400, "a request line is METHOD, target and HTTP/1.1, one space between them");
  }
  if (protocol !== "HTTP/1.1" && protocol !== "HTTP/1.0") {
    return refused(505, `speak HTTP/1.1 here, not ${quote(protocol, QUOTED_CHARS)}`);
  }
  if (method.length > MAX_METHOD_CHARS || /[a-z]/.test(method) || UNSERVED.includes(method)) {
    return refused(501, `the method ${quote(method, QUOTED_CHARS)} is not served here`);
  }
  if (target.length > limits.targetBytes) {
    return refused(414, `send a request target of at most ${limits.targetBytes} bytes`);
  }
  const version = protocol === "HTTP/1.1" ? "1.1" : "1.0";
  const absolute = target.startsWith("/") ? undefined : ABSOLUTE_FORM.exec(target);
  const authority = absolute?.[1];
  const path = absolute === undefined ? target : absolute?.[2] ?? "";
  const rooted = absolute && !path.startsWith("/") ? `/${path}` : path;
  if (absolute === null || !ORIGIN_FORM.test(rooted)) {
    return refused(400, "a request target is a path with an optional query, in printable ASCII");
  }
  return { method, target: rooted, version, ...(authority === undefined ? {} : { authority }) };
}

function readFields(source: HeadSource): HeadFields | HttpRefusal {
  const { lines } = source;
  const fields: HeadFields = {
    headers: new Headers(),
    hosts: [],
    lengths: [],
    codings: [],
    connection: [],
    upgrade: [],
    expect: [],
    keys: [],
    versions: [],
    protocols: [],
  };
  for (let at = 2; at < lines.length; at += 2) {
    const line = { start: lines[at] ?? 0, end: lines[at + 1] ?? 0 };
    const fault = readField(source, line, fields);
    if (fault !== undefined) return fault;
  }
  return fields;
}

function readField(source: HeadSource, line: Span, fields: HeadFields): HttpRefusal | undefined {
  const { text } = source;
  const { start, end } = line;
  const colon = text.indexOf(":", start);
  if (colon <= start || colon >= end || !isTokenRange(text, start, colon)) {
    return refused(
      400,
      "a header field is a name, a colon right after it, and a value in one line",
    );
  }
  let first = colon + 1;
  let last = end;
  while (first < last && isBlank(text.charCodeAt(first))) first++;
  while (last > first && isBlank(text.charCodeAt(last - 1))) last--;
  const name = ownText(source, { start, end: colon }).toLowerCase();
  const value = ownText(source, { start: first, end: last });
  fields.headers.append(name, value);
  decisive(name, fields)?.push(value);
  return undefined;
}

/** Where the values of a field are kept that decides on the connection. */
function decisive(name: string, fields: HeadFields): string[] | undefined {
  switch (name) {
    case "host":
      return fields.hosts;
    case "content-length":
      return fields.lengths;
    case "transfer-encoding":
      return fields.codings;
    case "connection":
      return fields.connection;
    case "upgrade":
      return fields.upgrade;
    case "expect":
      return fields.expect;
    case "sec-websocket-key":
      return fields.keys;
    case "sec-websocket-version":
      return fields.versions;
    case "sec-websocket-protocol":
      return fields.protocols;
    default:
      return undefined;
  }
}

/** Sees to it that the request names one host, in its Host field. */
function settleHost({ hosts, headers }: HeadFields, line: RequestLine): HttpRefusal | undefined {
  const [host] = hosts;
  if (hosts.length > 1) return refused(400, "send one Host field");
  if (host === undefined) {
    if (line.version === "1.1") return refused(400, "send a Host field");
    if (line.authority === undefined) return undefined;
  }
  const named = host ?? line.authority ?? "";
  if (!isAuthority(named)) {
    return refused(
      400,
      `Host names a host and an optional port, not ${quote(named, QUOTED_CHARS)}`,
    );
  }
  // A client writes the same into both (RFC 9112, section 3.2); two hosts in a request are an attack.
  if (line.authority !== undefined && line.authority.toLowerCase() !== named.toLowerCase()) {
    return refused(400, "the request target and Host name different hosts; send the same");
  }
  if (host === undefined) headers.set("host", named);
  return undefined;
}

/** Where the body ends (RFC 9112, section 6.3), or why that is not clear. */
function readBodyKind(
  { codings, lengths }: HeadFields,
  version: "1.0" | "1.1",
): RequestBody | HttpRefusal {
  const [coding] = codings;
  const [length] = lengths;
  if (coding !== undefined) {
    if (length !== undefined) {
      return refused(400, "send Transfer-Encoding or Content-Length, not both");
    }
    if (version === "1.0") return refused(400, "HTTP/1.0 has no Transfer-Encoding");
    if (codings.length === 1 && coding.toLowerCase() === "chunked") return { kind: "chunked" };
    const known = listHas(codings.join(), "chunked") || listHas(codings.join(), "identity");
    const status = codings.length === 1 && isToken(coding) && !known ? 501 : 400;
    const given = quote(codings.join(), QUOTED_CHARS);
    return refused(status, `the only Transfer-Encoding here is "chunked", not ${given}`);
  }
  if (length === undefined) return { kind: "none" };
  if (lengths.length > 1) return refused(400, "send one Content-Length");
  if (!/^[0-9]+$/.test(length) || length.length > MAX_LENGTH_DIGITS) {
    const given = quote(length, QUOTED_CHARS);
    return refused(400, `Content-Length is 1 to ${MAX_LENGTH_DIGITS} digits, not ${given}`);
  }
  const bytes = Number(length);
  return bytes === 0 ? { kind: "none" } : { kind: "length", bytes };
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
