/** The settings of the gateway's own port: where it listens, who may come in. */

import * as v from "valibot";
import { SCOPES } from "../core/access.ts";
import { secretProblem } from "./secret_text.ts";
import { flag, listOf, mark, oneOf, section, text, whole } from "./setting_schema.ts";
import { isBindAddress, isHost, isOrigin, isProxyAddress } from "./setting_text.ts";

/** The port where none is set. */
export const DEFAULT_PORT = 18_789;

const secret = () =>
  v.pipe(
    text(),
    v.rawCheck(({ dataset, addIssue }) => {
      const problem = dataset.typed ? secretProblem(dataset.value) : undefined;
      if (problem !== undefined) addIssue({ message: problem });
    }),
  );

const scopes = () => listOf(oneOf(SCOPES));

const tls = v.pipe(
  section({
    enabled: v.optional(
      mark(flag(), {
        label: "TLS",
        help: "Whether connections are encrypted by the gateway itself.",
        restart: true,
      }),
      false,
    ),
    certPath: v.optional(
      mark(text(), {
        label: "Certificate",
        help: "File of the certificate chain, as PEM.",
        restart: true,
      }),
    ),
    keyPath: v.optional(
      mark(text(), { label: "Private key", help: "File of its key, as PEM.", restart: true }),
    ),
  }),
  v.forward(
    v.check(
      ({ enabled, certPath, keyPath }) =>
        !enabled || (certPath !== undefined && keyPath !== undefined),
      "needs gateway.tls.certPath and gateway.tls.keyPath",
    ),
    ["enabled"],
  ),
);

/** `gateway`: its address, its secrets, TLS, and who is believed. */
export const gateway = v.pipe(
  section({
    port: v.optional(
      mark(whole(0, 65_535), {
        label: "Port",
        help: "TCP port of every wire; 0 takes any free one.",
        restart: true,
      }),
      DEFAULT_PORT,
    ),
    mode: v.optional(
      mark(oneOf(["local", "remote"]), { label: "Mode", advanced: true, unused: ["remote"] }),
    ),
    bind: v.optional(
      mark(
        v.pipe(
          text(),
          v.check(
            isBindAddress,
            "must be loopback, lan, auto, tailnet, custom, an IP address or a host name",
          ),
        ),
        {
          label: "Bind",
          help:
            "Where to listen: loopback (this machine alone), lan (everywhere), auto, tailnet, " +
            "custom, or an address.",
          restart: true,
        },
      ),
      "loopback",
    ),
    customBindHost: v.optional(
      mark(v.pipe(text(), v.check(isHost, "must be an IP address or a host name")), {
        label: "Custom bind host",
        help: "Where to listen when bind is custom.",
        advanced: true,
        restart: true,
      }),
    ),
    auth: v.optional(
      mark(
        section({
          mode: v.optional(
            mark(oneOf(["token", "password"]), {
              label: "Kind of secret",
              help: "Which shared secret clients show.",
            }),
          ),
          token: v.optional(mark(secret(), { label: "Gateway token", sensitive: true })),
          password: v.optional(mark(secret(), { label: "Gateway password", sensitive: true })),
          remoteScopes: v.optional(
            mark(scopes(), {
              label: "Scopes of remote clients",
              help: "What the shared secret grants to a remote client without a paired device.",
              advanced: true,
            }),
            ["operator.read", "operator.write"],
          ),
          defaultScopes: v.optional(
            mark(scopes(), {
              label: "Scopes when none are asked",
              help: "What a client that asks for no scopes gets, within what it may have.",
              advanced: true,
            }),
            ["operator.read", "operator.write"],
          ),
        }),
        { label: "Access" },
      ),
      {},
    ),
    tls: v.optional(mark(tls, { label: "TLS" })),
    trustedProxies: v.optional(
      mark(
        listOf(v.pipe(text(), v.check(isProxyAddress, "must be an IP address or a range"))),
        { label: "Trusted proxies", help: "Addresses whose forwarding headers are believed." },
      ),
      [],
    ),
    allowedHosts: v.optional(
      mark(
        listOf(v.pipe(text(), v.check(isHost, "must be a host name, without scheme or path"))),
        { label: "Allowed hosts", help: "Host names, besides its addresses, it may be asked by." },
      ),
      [],
    ),
    controlUi: v.optional(
      mark(
        section({
          allowedOrigins: v.optional(
            mark(
              listOf(
                v.pipe(text(), v.check(isOrigin, "must be an origin such as https://example.org")),
              ),
              { label: "Allowed origins", help: "Web pages elsewhere that may connect." },
            ),
            [],
          ),
        }),
        { label: "Control UI" },
      ),
      {},
    ),
  }),
  v.title("Gateway"),
  v.forward(
    v.check(
      ({ bind, customBindHost }) => bind !== "custom" || customBindHost !== undefined,
      "is required when gateway.bind is custom",
    ),
    ["customBindHost"],
  ),
);
