/** Frames of the control channel in a transcript: how a line writes one, and what the document says of every one. */

import * as v from "valibot";
import { METHODS } from "../../src/protocols/control/methods.ts";
import { StageLink } from "./gateway_stage.ts";
import { type Dialect, foreign, type Heard, whole } from "./transcript_dialect.ts";
import { isRecord, type Pattern } from "./transcript_pattern.ts";

/** How stories of the control channel are told; an id stands there as JSON, so `7` is a number. */
export const CONTROL: Dialect = {
  request: "request",
  open: (stage) => {
    const link = new StageLink();
    stage.gateway.control.accept(link);
    return Promise.resolve(link);
  },
  framePattern,
  frameProblems,
};

const MEMBERS = {
  response: ["type", "id", "ok", "payload", "error"],
  event: ["type", "event", "payload"],
} as const;

const EVENTS = ["heartbeat", "gateway-status", "log"];

/** `a< event heartbeat {…}`, `a< "1" ok {…}`, `a< 7 error "why"`. */
function framePattern(text: string): Pattern {
  if (text.startsWith("{")) return whole(text);
  const event = /^event (\S+) (.*)$/s.exec(text);
  if (event !== null) {
    const [, name = "", payload = ""] = event;
    return whole(`{"type":"event","event":"${name}","payload":${payload}}`);
  }
  const [, id = "", verdict = "", rest = ""] = /^(\S+) (ok|error) (.*)$/s.exec(text) ?? [];
  const quoted = /^(?:"|-?\d+$)/.test(id) ? id : JSON.stringify(id);
  if (verdict === "ok") {
    return whole(`{"type":"response","id":${quoted},"ok":true,"payload":${rest}}`);
  }
  if (verdict === "error") {
    return whole(`{"type":"response","id":${quoted},"ok":false,"error":${rest}}`);
  }
  throw new SyntaxError("not the short form of a frame");
}

function frameProblems(client: Heard, frame: unknown): readonly string[] {
  if (!isRecord(frame)) return ["the frame is no object"];
  if (frame.type === "event") {
    const found = foreign(frame, MEMBERS.event);
    if (!EVENTS.includes(String(frame.event))) found.push(`unknown event ${frame.event}`);
    if (!isRecord(frame.payload)) found.push("the payload of an event is an object");
    return found;
  }
  const found = foreign(frame, MEMBERS.response);
  if (frame.type !== "response") found.push(`the type is ${JSON.stringify(frame.type)}`);
  if (frame.ok === true) {
    const method = client.methods.get(String(frame.id));
    const schema = method === undefined ? undefined : METHODS.get(method)?.result;
    const parsed = schema === undefined ? undefined : v.safeParse(schema, frame.payload);
    for (const issue of parsed?.issues ?? []) {
      found.push(`the answer of ${method}: ${v.getDotPath(issue)}: ${issue.message}`);
    }
    if ("error" in frame) found.push("an answer that is ok has an error");
  } else if (frame.ok !== false) found.push("ok is neither true nor false");
  else if (typeof frame.error !== "string") found.push("an error is a text");
  return found;
}
