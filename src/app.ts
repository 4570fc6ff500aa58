/**
 * The composition root: adapters and settings in, a gateway out. The domain, the wires over it and the
 * routes are put together here, and here the gateway begins and ends; two of them in one process share nothing.
 */

import { createChatWire } from "./app/chat_wire.ts";
import { createControlWire } from "./app/control_wire.ts";
import { createDomain, type Domain } from "./app/domain.ts";
import { createDoor } from "./app/door.ts";
import type { GatewayParts } from "./app/gateway_parts.ts";
import { createOpenClawWire } from "./app/openclaw_wire.ts";
import { TENANTS } from "./app/tenants.ts";
import type { Config } from "./config.ts";
import { describeError, toGatewayError } from "./core/error.ts";
import type { Serve } from "./core/serve.ts";
import { createRoutes } from "./http/routes.ts";
import type { Control } from "./protocols/control/mod.ts";
import type { Settings } from "./services/settings.ts";
import statusPage from "./ui/status_page.html" with { type: "text" };

export type { GatewayParts } from "./app/gateway_parts.ts";

/** How a gateway stops. */
export interface StopOptions {
  /** It is started again right away: clients are told to come back after so many milliseconds. */
  readonly restartExpectedMs?: number;
}

/** A gateway that serves requests. */
export interface Gateway {
  /** Answers HTTP and takes connections. */
  readonly serve: Serve;
  /** Answers on the chat channel's own port; absent where there is no such channel. */
  readonly serveChat?: Serve;
  /** Takes connections whose messages are lines. */
  readonly control: Pick<Control, "accept">;
  /** The settings in effect, their secrets for the log to leave out, why the file is not in effect, and their changes. */
  readonly settings: Pick<Settings<Config>, "current" | "secrets" | "refusal" | "onChange">;
  /** Loads what the services need; requests are answered meanwhile. Where it rejects, {@linkcode Gateway.stop} remains. */
  start(): Promise<void>;
  /** Takes in settings and secrets that were changed on disk. Settings that are not valid change nothing. */
  reload(): Promise<void>;
  /** Tells every client, ends what runs, and leaves the store ready to be closed. */
  stop(reason: string, options?: StopOptions): Promise<void>;
}

/** Makes a gateway. Nothing runs and nothing is read until {@linkcode Gateway.start}. */
export function createGateway(parts: GatewayParts): Gateway {
  const domain: Domain = createDomain(parts, {
    channels: () => chat === undefined ? [] : [chat.channel],
  });
  const chat = createChatWire(parts, domain);
  const openClaw = createOpenClawWire(parts, domain);
  const control = createControlWire(parts, domain);
  gauges(parts, domain);
  const { auth, lifecycle, metrics, settings } = domain;
  const door = createDoor(parts, settings);
  return {
    settings,
    control,
    ...(chat === undefined ? {} : { serveChat: chat.serve }),
    serve: createRoutes({
      ...door,
      mounts: chat === undefined ? [] : [chat.mount],
      allowedOrigins: () => settings.current.gateway.controlUi.allowedOrigins,
      ready: () => lifecycle.ready,
      authorize: async (header, peer) => (await auth.authorizeBearer(header, peer)).ok,
      metrics: () => metrics.render(),
      page: statusPage,
      connect: (socket, peer) => openClaw.accept(door.link(socket), peer),
    }),
    ...lifeOf(domain, parts),
  };
}

/** How a gateway begins, takes in changes, and ends. Whatever runs by itself is started and stopped here. */
function lifeOf(
  domain: Domain,
  { log }: Pick<GatewayParts, "log">,
): Pick<Gateway, "start" | "reload" | "stop"> {
  const { chat, health, heartbeat, lifecycle, polls, presence, runs, settings, ticker } = domain;
  const load = async (): Promise<void> => {
    await chat?.dynamicAgents.load();
    await polls.load();
    for (const tenant of TENANTS) await runs.recover(tenant);
    await heartbeat.start();
    health.start();
    ticker.start();
    chat?.uploads.start(() => chat.settings().enabled);
  };
  const start = async (): Promise<void> => {
    try {
      await load();
    } catch (error) {
      log.write("error", "the gateway could not be started", { error: describeError(error) });
      lifecycle.failed(toGatewayError(error).message);
      throw error;
    }
    lifecycle.started();
  };
  let started: Promise<void> | undefined;
  return {
    start: () => started ??= start(),
    async reload() {
      domain.checkSecret();
      const { valid, issues } = await settings.reload();
      const [first] = issues;
      if (!valid) {
        log.write("warn", "changed settings are not valid and not used", {
          path: first?.path,
          issue: first?.message,
        });
      }
    },
    async stop(reason, options = {}) {
      const restartExpectedMs = options.restartExpectedMs ?? null;
      // What has begun to load would otherwise set timers up behind the stop; whoever started it hears of a failure.
      await started?.catch(() => {});
      lifecycle.leave();
      ticker.stop();
      health.stop();
      presence.stop();
      await chat?.uploads.stop();
      await heartbeat.stop();
      lifecycle.ended(reason, restartExpectedMs);
      await runs.stop();
    },
  };
}

function gauges(
  { memory }: Pick<GatewayParts, "memory">,
  { hub, metrics, runs }: Pick<Domain, "hub" | "metrics" | "runs">,
): void {
  metrics.gauge("clawgate_runs_running", "Runs that run.", () => runs.counts.running);
  metrics.gauge(
    "clawgate_runs_waiting",
    "Runs that wait for their turn.",
    () => runs.counts.waiting,
  );
  metrics.gauge("clawgate_subscribers", "Connections that receive events.", () => hub.size);
  if (memory !== undefined) {
    metrics.gauge("clawgate_resident_memory_bytes", "Resident memory.", memory);
  }
}
