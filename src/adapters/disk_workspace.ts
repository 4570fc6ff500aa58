/** Agents' folders on this machine. */

import { homedir } from "node:os";
import { WorkspaceError, type Workspaces } from "../ports/workspace.ts";

/** Folders on disk, readable by the gateway's own user alone. */
export function diskWorkspaces(): Workspaces {
  return {
    async ensure(path) {
      const folder = path.replace(/^~(?=\/|$)/, () => homedir());
      try {
        await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
        const { isDirectory, isSymlink } = await Deno.lstat(folder);
        if (isSymlink || !isDirectory) throw new WorkspaceError("it is no folder of its own");
        await Deno.chmod(folder, 0o700);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new WorkspaceError(`the folder ${folder} cannot be made: ${reason}`);
      }
    },
  };
}
