/** What a request gets that cannot be served. */

/** Name and value of one field. */
export type HeaderField = readonly [name: string, value: string];

/** A request that cannot be served; the connection ends after its answer. */
export interface HttpRefusal {
  readonly state: "refused";
  /** The status of the answer, 4xx or 5xx. */
  readonly status: number;
  /** What was wrong and what to do, in one line; foreign text in it is quoted, escaped and cut. */
  readonly reason: string;
  /** Fields that the answer must carry besides its usual ones. */
  readonly headers?: readonly HeaderField[];
}

/** A refusal without fields of its own. */
export function refused(status: number, reason: string): HttpRefusal {
  return { state: "refused", status, reason };
}
