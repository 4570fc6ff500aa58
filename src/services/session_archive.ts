/** Puts the messages of sessions away, under names by which they can be found again. */

import type { SessionKey, TenantId } from "../core/id.ts";
import type { StoreWrite } from "../ports/store.ts";
import type { Archive, SessionRecords } from "./session_records.ts";
import { archiveStream, transcriptStream } from "./transcript.ts";

/** Which messages go, and why. */
export interface PutAway {
  readonly tenant: TenantId;
  readonly key: SessionKey;
  readonly sessionId: string;
  readonly reason: Archive["reason"];
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** The sequence of the newest message that goes; absent: all go. */
  readonly through?: number;
}

/** What an archive's name says of why it exists; `bak` and `deleted` as other gateways write them. */
const NAME_PARTS = { reset: "reset", deleted: "deleted", kept: "kept", compacted: "bak" } as const;

/** The writes that put messages away, and the name of the archive: `<session id>.<why>.<time in UTC>`. */
export function putAway(
  records: SessionRecords,
  { tenant, key, sessionId, reason, at, through }: PutAway,
): { readonly writes: readonly StoreWrite[]; readonly name: string } {
  const time = new Date(at).toISOString().replaceAll(":", "-");
  const name = `${sessionId}.${NAME_PARTS[reason]}.${time}`;
  const stream = transcriptStream(tenant, sessionId);
  const into = archiveStream(tenant, name);
  return {
    name,
    writes: [
      records.archives.put(tenant, name, { key, sessionId, reason, at }),
      { op: "move", stream, into, through },
    ],
  };
}
