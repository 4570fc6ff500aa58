/** Frames of the OpenClaw wire in a transcript: how a line writes one, and what the document says of every one. */

import * as v from "valibot";
import { METHODS } from "../../src/protocols/openclaw/method_table.ts";
import { type Dialect, foreign, type Heard, whole } from "./transcript_dialect.ts";
import { isRecord, type Pattern, readPattern } from "./transcript_pattern.ts";

/** Events that do not count against the sequence of a connection. */
const UNNUMBERED: ReadonlySet<string> = new Set(["connect.challenge"]);

/** Events that carry the versions of the state. */
const VERSIONED: ReadonlySet<string> = new Set(["presence", "health"]);

const MEMBERS = {
  res: ["type", "id", "ok", "payload", "error"],
  event: ["type", "event", "payload", "seq", "stateVersion"],
  error: ["code", "message", "details", "retryable", "retryAfterMs"],
  hello: [
    "type",
    "protocol",
    "server",
    "features",
    "snapshot",
    "canvasHostUrl",
    "auth",
    "policy",
    "resume",
  ],
} as const;

const CODES = ["NOT_LINKED", "NOT_PAIRED", "AGENT_TIMEOUT", "INVALID_REQUEST", "UNAVAILABLE"];

/** How stories of the OpenClaw wire are told. */
export const OPENCLAW: Dialect = {
  request: "req",
  open: (stage, peer) => stage.open(peer),
  framePattern,
  frameProblems,
};

/** The frame that a line writes in full or in short. */
function framePattern(text: string): Pattern {
  if (text.startsWith("{")) return whole(text);
  const event = /^event (\S+) (.*)$/s.exec(text);
  if (event !== null) {
    const [, name = "", payload = ""] = event;
    const seq = UNNUMBERED.has(name) ? "" : `, "seq": *`;
    const version = VERSIONED.has(name) ? `, "stateVersion": *` : "";
    return whole(`{"type":"event","event":"${name}","payload":${payload}${seq}${version}}`);
  }
  const [, id = "", verdict = "", rest = ""] = /^(\S+) (ok|error)(.*)$/s.exec(text) ?? [];
  if (verdict === "ok") {
    return whole(`{"type":"res","id":"${id}","ok":true,"payload":${rest}}`);
  }
  const [, code = "", after = ""] = /^ ([A-Z_]+) (.*)$/s.exec(rest) ?? [];
  if (code === "") throw new SyntaxError("not the short form of a frame");
  const { pattern: message, rest: extras } = readPattern(after);
  const more = extras === "" ? "" : `, ${extras.replace(/^\{|\}$/g, "")}`;
  const frame = whole(
    `{"type":"res","id":"${id}","ok":false,"error":{"code":"${code}","message":null${more}}}`,
  );
  return withMessage(frame, message);
}

/** What the document says of every frame. */
function frameProblems(client: Heard, frame: unknown): readonly string[] {
  if (!isRecord(frame)) return ["the frame is no object"];
  if (frame.type === "event") {
    const { event, seq, stateVersion } = frame;
    const found = foreign(frame, MEMBERS.event);
    if (typeof event !== "string") return [...found, "the event has no name"];
    const number = UNNUMBERED.has(event) ? undefined : ++client.sequence;
    if (seq !== number) found.push(`the event ${event} has the number ${seq}, not ${number}`);
    if (VERSIONED.has(event) !== (stateVersion !== undefined)) {
      found.push(`stateVersion of ${event} is ${JSON.stringify(stateVersion)}`);
    }
    return found;
  }
  const found = foreign(frame, MEMBERS.res);
  if (frame.type !== "res") found.push(`the frame has the type ${JSON.stringify(frame.type)}`);
  if (frame.ok === true) {
    if ("error" in frame) found.push("an answer that is ok has an error");
    const method = client.methods.get(String(frame.id));
    const schema = method === undefined ? undefined : METHODS.get(method)?.result;
    if (method === "connect" && isRecord(frame.payload)) {
      found.push(...foreign(frame.payload, MEMBERS.hello));
    }
    const parsed = schema === undefined ? undefined : v.safeParse(schema, frame.payload);
    for (const issue of parsed?.issues ?? []) {
      found.push(`the answer of ${method}: ${v.getDotPath(issue)}: ${issue.message}`);
    }
  } else if (frame.ok !== false) found.push("ok is neither true nor false");
  else if (!isRecord(frame.error)) found.push("a refusal without an error");
  else {
    found.push(...foreign(frame.error, MEMBERS.error));
    if (!CODES.includes(String(frame.error.code))) found.push(`unknown code ${frame.error.code}`);
  }
  return found;
}

function withMessage(frame: Pattern, message: Pattern): Pattern {
  const error = frame.kind === "object" ? frame.members.get("error") : undefined;
  if (frame.kind !== "object" || error?.kind !== "object") return frame;
  const inner = new Map([...error.members, ["message", message] as const]);
  return {
    ...frame,
    members: new Map([...frame.members, ["error", { ...error, members: inner }] as const]),
  };
}
