/** The settings of the control channel. */

import * as v from "valibot";
import { isLoopbackHost } from "../core/host.ts";
import { flag, mark, name, section, text, whole } from "./setting_schema.ts";

/** The port of the control channel where none is set. */
export const DEFAULT_CONTROL_PORT = 18_791;

/** `control`: whether and where programs of this machine may speak lines; see its wire page. */
export const control = section({
  enabled: v.optional(
    mark(flag(), {
      label: "Enabled",
      help: "A deprecated wire for programs on this machine, without a secret.",
      restart: true,
    }),
    false,
  ),
  port: v.optional(
    mark(whole(0, 65_535), {
      label: "Port",
      help: "TCP port of its own; 0 takes any free one.",
      restart: true,
    }),
    DEFAULT_CONTROL_PORT,
  ),
  host: v.optional(
    mark(
      v.pipe(
        text(),
        v.check(
          isLoopbackHost,
          "must be loopback, such as 127.0.0.1 or ::1, as the control channel asks for no secret",
        ),
      ),
      { label: "Address", help: "Where to listen, on this machine alone.", restart: true },
    ),
    "127.0.0.1",
  ),
  path: v.optional(
    mark(name(), {
      label: "Socket",
      help: "A Unix socket in place of the port, below the state folder unless absolute.",
      restart: true,
      host: true,
    }),
  ),
  log: v.optional(
    mark(flag(), { label: "Show the log", help: "Sends each log line as an event." }),
    false,
  ),
});
