/** The settings files that tests read as a gateway finds them on disk. */

/** The text of the file of this name in `tests/fixtures/config`. */
export function fixtureText(name: string): string {
  return Deno.readTextFileSync(new URL(`../fixtures/config/${name}`, import.meta.url));
}
