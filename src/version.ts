import manifest from "../deno.json" with { type: "json" };

/** The release of this program, CalVer `YYYY.M.D`. */
export const VERSION: string = manifest.version;
