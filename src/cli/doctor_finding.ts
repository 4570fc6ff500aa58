/** What the doctor found. */

import type { Finding } from "./mark.ts";

/** One check's outcome. Holds no secret. */
export interface Diagnosis {
  /** Which check, for machines: stable. */
  readonly check: string;
  readonly finding: Finding;
  /** Safe to print. */
  readonly message: string;
  /** What to do; absent when there is nothing to. */
  readonly fix?: string;
}

/** Nothing to do. */
export function fine(check: string, message: string): Diagnosis {
  return { check, finding: "fine", message };
}

/** It works, and yet. */
export function warning(check: string, message: string, fix: string): Diagnosis {
  return { check, finding: "warning", message, fix };
}

/** It does not work. */
export function broken(check: string, message: string, fix: string): Diagnosis {
  return { check, finding: "broken", message, fix };
}
