/** Opens the gateway's own port, with TLS where the settings want it. */

import { dirname, resolve } from "node:path";
import type { Gateway } from "../app.ts";
import { quote } from "../core/quote.ts";
import { ListenError, type ListenOptions } from "../ports/listener.ts";
import type { Log } from "../ports/log.ts";
import { MAX_PAYLOAD_BYTES } from "../protocols/openclaw/hello.ts";
import { uploadBytes } from "./chat_listener.ts";
import { openPort } from "./open_port.ts";
import { ConfigurationError, type Setup } from "./setup.ts";

/** What TLS is spoken with, and where it stands. */
export interface TlsFiles {
  readonly pem: NonNullable<ListenOptions["tls"]>;
  readonly certPath: string;
  readonly keyPath: string;
}

/** How the parts of a PEM file that are needed begin. */
const PEM_CERTIFICATE = /^-----BEGIN CERTIFICATE-----/m;
const PEM_KEY = /^-----BEGIN (?:RSA |EC )?PRIVATE KEY-----/m;

/** The certificate and key that the settings name, from where the settings file is; undefined without TLS. */
export async function readTlsFiles({ settings, configPath }: Setup): Promise<TlsFiles | undefined> {
  const { tls } = settings.config.gateway;
  if (tls?.enabled !== true) return undefined;
  const place = (path: string = "") => resolve(dirname(configPath), path);
  const certPath = place(tls.certPath);
  const keyPath = place(tls.keyPath);
  const unfit = (key: "certPath" | "keyPath", message: string) =>
    new ConfigurationError(configPath, [{ path: `gateway.tls.${key}`, message }]);
  const read = async (key: "certPath" | "keyPath", path: string): Promise<string> => {
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw unfit(key, `names a file that cannot be read: ${reason}`);
    }
  };
  const cert = await read("certPath", certPath);
  if (!PEM_CERTIFICATE.test(cert)) {
    throw unfit("certPath", `names ${quote(certPath)}, which holds no certificate as PEM`);
  }
  const key = await read("keyPath", keyPath);
  if (!PEM_KEY.test(key)) {
    throw unfit("keyPath", `names ${quote(keyPath)}, which holds no unencrypted key as PEM`);
  }
  return { pem: { cert, key }, certPath, keyPath };
}

/** Listens until `opened` ends; resolves to the port. */
export async function openGatewayPort(
  { serve, configPath, chat: { overrides } }: Setup,
  { gateway, log, opened, tls }: {
    readonly gateway: Pick<Gateway, "serve" | "settings">;
    readonly log: Log;
    readonly opened: AsyncDisposableStack;
    readonly tls: TlsFiles | undefined;
  },
): Promise<number> {
  return await openPort({ hostname: serve.host.host, port: serve.port.value }, {
    name: "the listener",
    serve: gateway.serve,
    maxMessageBytes: MAX_PAYLOAD_BYTES,
    maxBodyBytes: () =>
      uploadBytes({ settings: gateway.settings.current.channels.websocket, overrides }),
    tls: tls?.pem,
    log,
    opened,
  }).catch((error) => {
    if (tls === undefined || !(error instanceof ListenError) || error.reason !== "other") {
      throw error;
    }
    const { certPath, keyPath } = tls;
    const message = `names ${quote(keyPath)}, which cannot be used with the certificate ` +
      `${quote(certPath)}: ${error.message}`;
    throw new ConfigurationError(configPath, [{ path: "gateway.tls.keyPath", message }]);
  });
}
