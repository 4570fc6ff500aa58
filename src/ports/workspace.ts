/** Folders that agents work in. */

/** Makes the folders of agents. */
export interface Workspaces {
  /**
   * Makes a folder, and those above it, that nobody else on the host may enter; one that is there stays.
   * A leading `~` is the home folder. Rejects with {@linkcode WorkspaceError}.
   */
  ensure(path: string): Promise<void>;
}

/** A folder cannot be made; the message is for the log and may name it. */
export class WorkspaceError extends Error {
  override readonly name = "WorkspaceError";
}
