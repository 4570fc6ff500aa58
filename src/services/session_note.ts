/** Notes that go into a session without a run. */

import { invalidRequest } from "../core/error.ts";
import type { SessionKey, TenantId } from "../core/id.ts";
import type { Clock } from "../ports/clock.ts";
import { labelled } from "./conversation.ts";
import type { Hub } from "./hub.ts";
import type { Sessions } from "./sessions.ts";

/** A note for a session. */
export interface Note {
  readonly sessionKey: SessionKey;
  /** The session key as the client wrote it, trimmed; the event echoes it. */
  readonly requestedKey: string;
  readonly message: string;
  readonly label?: string;
}

/** What a note is put down with. */
export interface NoteParts {
  readonly sessions: Pick<Sessions, "get" | "append">;
  readonly hub: Hub;
  readonly clock: Clock;
}

/**
 * Puts a note into a session as if the assistant had said it, then tells everyone. Throws
 * `INVALID_REQUEST` when there is no such session.
 */
export async function injectNote(
  parts: NoteParts,
  { tenant, note }: { tenant: TenantId; note: Note },
): Promise<{ readonly messageId: string }> {
  const { sessions, hub, clock } = parts;
  const { sessionKey, requestedKey, message, label } = note;
  const missing = () => invalidRequest("session not found");
  const before = await sessions.get(tenant, sessionKey);
  if (before === undefined) throw missing();
  const at = clock.now();
  const { messages } = await sessions.append(tenant, sessionKey, {
    messages: [{ role: "assistant", text: message, at, label, stopReason: "injected" }],
    change: (entry) => {
      // The session was deleted since it was found, so this change would make it anew.
      if (entry.sessionId !== before.sessionId) throw missing();
      return entry;
    },
  });
  const messageId = messages[0]?.id ?? "";
  hub.publish(tenant, {
    type: "session.message",
    runId: `inject-${messageId}`,
    sessionKey,
    requestedKey,
    sequence: 0,
    at,
    text: labelled(message, label),
  });
  return { messageId };
}
