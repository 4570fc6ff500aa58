/** What the baseline's server and its clients agree on. */

/** A message that begins with this is sent to every client instead of being echoed. */
export const TO_ALL = "*";
