/** The order of a command's help. */

import { type Command, Help } from "commander";

/** The help as the library writes it, with the commands before the options. */
export function commandsFirst(command: Command, helper: Help): string {
  const sections = Help.prototype.formatHelp.call(helper, command, helper).split(/\n\n(?=\S)/)
    .map((section) => section.trimEnd());
  const isCommands = (section: string) => section.startsWith("Commands:");
  const isOptions = (section: string) => /^(?:Global )?Options:/.test(section);
  const rest = sections.filter((section) => !isCommands(section));
  const at = rest.findIndex(isOptions);
  const ordered = at === -1 ? sections : rest.toSpliced(at, 0, ...sections.filter(isCommands));
  return `${ordered.join("\n\n")}\n`;
}
