/** Folders that live as long as a test. */

/** Runs `work` with a new folder, given by its real path, and removes the folder afterwards. */
export async function inTempFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** {@linkcode inTempFolder} as a test. */
export function testInTempFolder(name: string, work: (folder: string) => Promise<void>): void {
  Deno.test(name, () => inTempFolder(work));
}
