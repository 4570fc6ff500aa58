/** The fixed words of the chat channel. */

/** The texts and codes of the wire. Source: the reference plugin. */
export const TEXTS = {
  malformed: "Invalid message format. Expected: { type: 'chat.send', content: '...' }",
  noise: "Failed to parse message",
  tokenRequired: "Token required. Connect with ?token=YOUR_TOKEN",
  failed: "Failed to process message",
  stopping: "Server shutting down",
} as const;

/** Closes a connection whose client did not say who it is. */
export const UNAUTHENTICATED = 4401;
