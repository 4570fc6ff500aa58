/** The few messages that the gateway answers itself. All other text that begins with a slash is text. */

/** What a chat message can tell the gateway to do. */
export type ChatDirective = "stop" | "status";

/** The directive that a message is, as a whole; undefined for text. */
export function chatDirective(message: string): ChatDirective | undefined {
  switch (message.trim().toLowerCase()) {
    case "/stop":
      return "stop";
    case "/status":
      return "status";
    default:
      return undefined;
  }
}

/** The answer to `/status`: one line for each fact, in the order given. */
export function statusText(facts: Readonly<Record<string, string>>): string {
  const lines = Object.entries(facts).map(([name, value]) => `- ${name}: ${value}`);
  return ["Status of the gateway", ...lines].join("\n");
}
