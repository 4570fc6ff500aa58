/** Tests that need a program of the system: left out where it is missing, but never in CI. */

import { join } from "node:path";

/** A program that tests need. */
interface Wanted {
  /** The Debian package that has it. */
  readonly package: string;
  /** What it goes by. */
  readonly names: readonly string[];
  /** Arguments with which it ends well only where all that is needed is there. */
  readonly asks?: readonly string[];
}

/** The programs that tests need. */
export const PROGRAMS = {
  nc: { package: "netcat-openbsd", names: ["nc.openbsd", "nc"] },
  chromium: { package: "chromium", names: ["chromium", "chromium-browser", "google-chrome"] },
  /** Brings the module `websocket` for Debian's Python. */
  wsdump: { package: "python3-websocket", names: ["wsdump"] },
  npx: { package: "npm", names: ["npx"] },
  curl: { package: "curl", names: ["curl"] },
  openssl: { package: "openssl", names: ["openssl"] },
  /** Python with its library `websockets`. */
  websockets: {
    package: "python3-websockets",
    names: ["python3"],
    asks: ["-c", "import websockets"],
  },
} as const satisfies Readonly<Record<string, Wanted>>;

/** A program of {@linkcode PROGRAMS}. */
export type Program = keyof typeof PROGRAMS;

/** What is to be done with a test. */
export type Verdict =
  | { readonly run: true; readonly path: string }
  /** Left out; `failure` says whether that is an error. */
  | { readonly run: false; readonly failure: boolean; readonly reason: string };

/** Whether a test that needs a program can run; missing programs are failures where `CI` is `true`. */
export function judge(
  program: Program,
  { path, ci }: { readonly path: string | undefined; readonly ci: string | undefined },
): Verdict {
  if (path !== undefined) return { run: true, path };
  const wanted = PROGRAMS[program];
  const reason = `needs ${wanted.names.join(" or ")}; install the Debian package ${wanted.package}`;
  return { run: false, failure: ci === "true", reason };
}

/** The first of several program names that is found on PATH, with its folder. */
export function findProgram(
  names: readonly string[],
  searchPath: string = Deno.env.get("PATH") ?? "",
): string | undefined {
  return programPaths(names, searchPath).next().value ?? undefined;
}

function* programPaths(names: readonly string[], searchPath: string): Generator<string, undefined> {
  for (const name of names) {
    for (const folder of searchPath.split(":").filter((each) => each !== "")) {
      const path = join(folder, name);
      if (isExecutable(path)) yield path;
    }
  }
  return undefined;
}

/** The first program on PATH that has all that is needed. */
function findWanted({ names, asks }: Wanted): string | undefined {
  for (const path of programPaths(names, Deno.env.get("PATH") ?? "")) {
    if (asks === undefined) return path;
    const command = new Deno.Command(path, { args: [...asks], stdout: "null", stderr: "null" });
    if (command.outputSync().success) return path;
  }
  return undefined;
}

/**
 * Declares a test that is given the path of a program. Without that program the test counts as ignored
 * and the reason is printed; where `CI` is `true` it fails.
 */
export function testWithProgram(
  program: Program,
  { name, fn }: {
    readonly name: string;
    readonly fn: (path: string, test: Deno.TestContext) => void | Promise<void>;
  },
): void {
  const path = findWanted(PROGRAMS[program]);
  const verdict = judge(program, { path, ci: Deno.env.get("CI") });
  if (verdict.run) {
    Deno.test(name, (test) => fn(verdict.path, test));
  } else if (verdict.failure) {
    Deno.test(name, () => {
      throw new Error(verdict.reason);
    });
  } else {
    console.warn(`left out: ${name} (${verdict.reason})`);
    Deno.test.ignore(name, () => {});
  }
}

function isExecutable(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0o111) & 0o111) !== 0;
  } catch {
    return false;
  }
}
