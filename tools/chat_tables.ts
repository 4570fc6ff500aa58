/** The generated parts of the chat channel's page, derived from what the gateway runs on. */

import * as v from "valibot";
import { MAX_IDENTITY_ANSWER_BYTES } from "../src/adapters/http_identity.ts";
import { MAX_SHOWN_BYTES } from "../src/adapters/disk_media.ts";
import { websocketChannel } from "../src/config/chat_schema.ts";
import { type Setting, settingsAlong } from "../src/config/setting_tree.ts";
import { checked } from "../src/core/id.ts";
import { MAX_JSON_DEPTH } from "../src/core/json.ts";
import { STALL_DEADLINE_MS } from "../src/core/driver.ts";
import {
  type ChatSend,
  deliveryOf,
  encodeFrame,
  MAX_CHAT_MESSAGE_BYTES,
  MAX_CUSTOM_CHARS,
  MAX_FIELD_CHARS,
  MAX_MEDIA,
  MAX_QUOTE_CHARS,
  type ServerFrame,
} from "../src/protocols/chat/codec.ts";
import { MAX_EARLY_BYTES } from "../src/protocols/chat/connection.ts";
import { MAX_CONVERSATIONS } from "../src/protocols/chat/audience.ts";
import {
  GUESTS_OF_ADDRESS,
  IDENTIFYING_BOUNDS,
  WRONG_TOKENS,
} from "../src/protocols/chat/connection_house.ts";
import { MAX_ANSWERS_AWAITED, MAX_EARLY_MESSAGES } from "../src/protocols/chat/machine.ts";
import { MAX_MESSAGE_PICTURE_BYTES } from "../src/protocols/chat/message.ts";
import { MAX_BUFFERED_BYTES, MAX_CONNECTIONS } from "../src/protocols/chat/mod.ts";
import { MAX_HELD, MAX_HELD_OF_SENDER } from "../src/protocols/chat/picture_holds.ts";
import { MAX_PEER_ID_CHARS } from "../src/services/channel_name.ts";
import { DEFAULT_POLL_HOURS, MAX_POLLS, MAX_VOTERS } from "../src/services/channel_polls.ts";
import {
  MAX_OUTBOUND_CHARS,
  MAX_POLL_OPTIONS,
  SENT_RETENTION_MS,
} from "../src/services/channels.ts";
import { MAX_DYNAMIC_AGENTS } from "../src/services/dynamic_agents.ts";
import { MAX_WAITING_PER_SESSION, MAX_WAITING_RUNS } from "../src/services/run_queue.ts";
import { isRunId } from "../src/services/run_record.ts";
import { PARTIAL_INTERVAL_MS } from "../src/services/run_text.ts";
import { MAX_MESSAGE_TEXT_CHARS } from "../src/services/session_entry.ts";
import {
  MAX_MEDIA_FILES,
  MAX_MEDIA_FOLDER_BYTES,
  MAX_OWNER_BYTES,
  MAX_OWNER_FILES,
  MEDIA_LIFE_MS,
} from "../src/services/uploads.ts";
import { markdownTable } from "./generated_section.ts";
import { type Limit, limitTable, overflowText } from "./wire_tables.ts";

/** What each member of a message is for. */
const MEMBERS: Readonly<Record<keyof typeof ChatSend.entries, string>> = {
  type: '`"chat.send"`; required',
  content: "what is said; required, not blank",
  messageId: "comes back with everything that answers it; made up where it is absent",
  senderId: "who says it, where nobody was proved to; otherwise a claim for the agent to see",
  senderName: "their name, as above",
  chatType: '`"direct"` (default) or `"group"`',
  groupId: "the group; required for a group chat",
  groupSubject: "what the group is called",
  replyToMessageId: "the message that this one answers",
  replyToBody: "its text",
  mediaPath: "a file of the upload folder",
  mediaType: "its MIME type",
  mediaPaths: "more files",
  mediaTypes: "their MIME types, in order",
  customData: "an object for the agent, kept under one key",
};

const RUN = checked("r1", isRunId);

const FRAMES: readonly (readonly [frame: ServerFrame, when: string])[] = [
  [{ kind: "greeting" }, "the connection is open"],
  [{ kind: "typing", messageId: "m1" }, "the message is stored; again when its turn comes"],
  [
    { kind: "stream", runId: RUN, messageId: "m1", content: "Hello the", cumulative: true },
    'the answer grows; all of it so far, or with `streamMode: "delta"` what is new, which is kept like an answer',
  ],
  [
    { kind: "final", messageId: "m1", content: "Hello there" },
    "the answer, in one block or several",
  ],
  [
    { kind: "error", messageId: "m1", error: "…" },
    "something failed; without an id where no message could be read",
  ],
];

const LIMITS: readonly Limit[] = [
  ["One message", MAX_CHAT_MESSAGE_BYTES, "bytes", "close 1009"],
  ["Nesting of a message", MAX_JSON_DEPTH, "levels", "`chat.error`"],
  ["An id", MAX_PEER_ID_CHARS, "characters", "`chat.error`"],
  ["Any other short text", MAX_FIELD_CHARS, "characters", "`chat.error`"],
  ["`content`", MAX_MESSAGE_TEXT_CHARS, "characters", "`chat.error`"],
  ["`replyToBody`", MAX_QUOTE_CHARS, "characters", "`chat.error`"],
  ["`customData` as JSON", MAX_CUSTOM_CHARS, "characters", "`chat.error`"],
  ["`mediaPaths`", MAX_MEDIA, "files", "`chat.error`"],
  ["Messages before the greeting", MAX_EARLY_MESSAGES, "messages", "close 1008"],
  ["All of them together", MAX_EARLY_BYTES, "bytes", "close 1009"],
  [
    "Messages of one connection whose answer is awaited",
    MAX_ANSWERS_AWAITED,
    "messages",
    "`chat.error`",
  ],
  [
    "Messages of one conversation that wait for their turn",
    MAX_WAITING_PER_SESSION,
    "messages",
    "`chat.error`",
  ],
  ["Messages of all that wait for their turn", MAX_WAITING_RUNS, "messages", "`chat.error`"],
  [
    "Conversations that a connection hears of",
    MAX_CONVERSATIONS,
    "conversations",
    "the one it wrote to longest ago gives way, its user's own never",
  ],
  ["What waits for a slow client", MAX_BUFFERED_BYTES, "bytes", "close 1008 `slow consumer`"],
  [
    "Time in which a client that is behind takes next to nothing",
    STALL_DEADLINE_MS,
    "ms",
    "close 1008 `slow consumer`",
  ],
  ["Connections", MAX_CONNECTIONS, "connections", "close 1013"],
  [
    "Connections of one address that wait for the identity service",
    IDENTIFYING_BOUNDS.perSource,
    "connections",
    "the oldest gives way",
  ],
  [
    "Wrong tokens of one address in a minute",
    WRONG_TOKENS.failures,
    "tokens",
    `locked out for ${WRONG_TOKENS.lockMs / 60_000} minutes, which the log says`,
  ],
  [
    "Messages of all guests of one address in a minute, in terms of `messagesPerMinute`",
    GUESTS_OF_ADDRESS,
    "times",
    "`chat.error`",
  ],
  ["Answer of the identity service", MAX_IDENTITY_ANSWER_BYTES, "bytes", "`service_unavailable`"],
  ["Time between two cumulative parts", PARTIAL_INTERVAL_MS, "ms", "the next part has it all"],
  ["Agents of users", MAX_DYNAMIC_AGENTS, "agents", "`chat.error`"],
  [
    "Uploaded files of one user, or of all strangers of one address",
    MAX_OWNER_FILES,
    "files",
    "507",
  ],
  ["All of those together", MAX_OWNER_BYTES, "bytes", "507"],
  ["Time for which an uploaded file is kept", MEDIA_LIFE_MS, "ms", "it is removed"],
  ["Uploaded files of all", MAX_MEDIA_FILES, "files", "507"],
  ["All of them together", MAX_MEDIA_FOLDER_BYTES, "bytes", "507"],
  [
    "A picture that the model is shown",
    MAX_SHOWN_BYTES,
    "bytes",
    "the agent is told its name and size only",
  ],
  [
    "Pictures of one message that the model is shown, together",
    MAX_MESSAGE_PICTURE_BYTES,
    "bytes",
    "of the others the agent is told name and size only",
  ],
  [
    "Messages of one sender with pictures that wait for an answer",
    MAX_HELD_OF_SENDER,
    "messages",
    "`chat.error`",
  ],
  ["Such messages of all", MAX_HELD, "messages", "`chat.error`"],
  ["A message of `send`", MAX_OUTBOUND_CHARS, "characters", "`INVALID_REQUEST`"],
  [
    "Memory of its key",
    SENT_RETENTION_MS,
    "ms",
    "the key may send again; that of a poll once the poll is closed as well",
  ],
  ["Options of a poll", MAX_POLL_OPTIONS, "options", "`INVALID_REQUEST`"],
  [
    "Time in which a poll is answered, unless it says",
    DEFAULT_POLL_HOURS,
    "hours",
    "later answers go to the agent",
  ],
  ["People who answer one poll", MAX_VOTERS, "people", "their answers go to the agent"],
  ["Polls", MAX_POLLS, "polls", "the oldest is forgotten"],
];

const DEFAULTS: unknown = v.parse(websocketChannel, {});

/** Sections of the page by name. */
export const CHAT_SECTIONS: readonly (readonly [name: string, content: string])[] = [
  [
    "settings",
    markdownTable(["setting", "default", "what it is"], settingRows(channel(), "", DEFAULTS)),
  ],
  [
    "message",
    markdownTable(
      ["member", "what it is"],
      Object.entries(MEMBERS).map(([name, text]) => [`\`${name}\``, text]),
    ),
  ],
  [
    "frames",
    markdownTable(
      ["frame", "when", "for a slow client"],
      FRAMES.map(([frame, when]) => [
        `\`${encodeFrame(frame)}\``,
        when,
        overflowText(deliveryOf(frame).overflow),
      ]),
    ),
  ],
  ["limits", limitTable(LIMITS)],
];

function channel(): Setting {
  const found = settingsAlong(["channels", "websocket"]).at(-1);
  if (found === undefined) throw new Error("the settings have no chat channel");
  return found;
}

/** A row for every setting below, in the order of the schema. */
function settingRows(
  setting: Setting,
  path: string,
  value: unknown,
): readonly (readonly string[])[] {
  return [...setting.entries].flatMap(([name, entry]) => {
    const own = path === "" ? name : `${path}.${name}`;
    const held = isRecord(value) ? value[name] : undefined;
    if (entry.kind === "section") return settingRows(entry, own, held);
    const { label = "", help } = entry.marks;
    const shown = held === undefined ? "–" : `\`${JSON.stringify(held)}\``;
    return [[`\`${own}\``, shown, help === undefined ? label : `${label}. ${help}`]];
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
