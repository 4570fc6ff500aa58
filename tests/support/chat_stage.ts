/** The chat channel in memory: real services on a manual clock, a scripted model, links that a test holds. */

import { createChatChannel } from "../../src/app/chat_wire.ts";
import { DEFAULT_TENANT } from "../../src/core/id.ts";
import { Metrics } from "../../src/core/metrics.ts";
import type { IdentityAnswer, IdentityQuestion } from "../../src/ports/identity.ts";
import { type MediaFolder, MediaRefused } from "../../src/ports/media.ts";
import type { Chat, ChatSettings } from "../../src/protocols/chat/mod.ts";
import { ChannelPolls } from "../../src/services/channel_polls.ts";
import { DynamicAgents } from "../../src/services/dynamic_agents.ts";
import { CountingRandom } from "./counting_random.ts";
import { StageLink } from "./gateway_stage.ts";
import { setStage, type Stage } from "./run_stage.ts";

/** A channel and what it stands on. */
export interface ChatStage extends Stage {
  readonly chat: Chat;
  readonly polls: ChannelPolls;
  readonly dynamicAgents: DynamicAgents;
  /** What the identity service was asked; answer each in turn. */
  readonly questions: (IdentityQuestion & { answer: (answer: IdentityAnswer) => void })[];
  /** Folders that were made. */
  readonly folders: string[];
  /** Against whose quota uploads counted. */
  readonly uploaded: string[];
  /** Settings that a test may change while it goes on. */
  readonly chatSettings: { -readonly [Key in keyof ChatSettings]: ChatSettings[Key] };
  /** Opens a connection with these parameters of its URL. */
  open(shown?: Readonly<Record<string, string>>, ip?: string): StageLink;
}

/** Sets a stage whose channel asks nobody who they are, unless `auth` says so. */
export function setChatStage(auth: Partial<ChatSettings["auth"]> = {}): ChatStage {
  const stage = setStage();
  const { store, clock, log, hub, agents, runs } = stage;
  const folders: string[] = [];
  const questions: ChatStage["questions"] = [];
  const dynamicAgents = new DynamicAgents({
    store,
    clock,
    log,
    workspaces: {
      ensure: (path) => {
        folders.push(path);
        return Promise.resolve();
      },
    },
    tenant: DEFAULT_TENANT,
    configured: (id) => agents.configured(id),
  });
  const polls = new ChannelPolls({ store, clock, log, tenant: DEFAULT_TENANT });
  const chatSettings: ChatStage["chatSettings"] = {
    configured: true,
    enabled: true,
    path: "/ws",
    gatewayPath: "/chat",
    auth: {
      enabled: false,
      endpoint: "http://identity.test/verify",
      timeout: 5_000,
      required: true,
      ...auth,
    },
    allowPublicWithoutAuth: false,
    allowedOrigins: [],
    manner: { streamMode: "cumulative", blockChars: 4_000 },
    messagesPerMinute: 120,
    maxConnectionsPerAddress: 256,
    media: { folder: "/uploads", maxBytes: 1_000, types: ["image/png"] },
  };
  const uploaded: string[] = [];
  const media: Pick<MediaFolder, "open"> = {
    open: ({ path }) => {
      if (path !== "a.png") throw new MediaRefused("path", `"${path}" is not there`);
      const bytes = Uint8Array.of(1, 2, 3);
      return Promise.resolve({ path, type: "image/png", size: 3, bytes });
    },
  };
  const chat = createChatChannel({
    tenant: DEFAULT_TENANT,
    agents,
    dynamicAgents,
    polls,
    runs,
    identities: {
      verify: (question) => {
        const { promise, resolve } = Promise.withResolvers<IdentityAnswer>();
        questions.push({ ...question, answer: resolve });
        return promise;
      },
    },
    media,
    uploads: {
      save: ({ owner, type }) => {
        uploaded.push(owner);
        return Promise.resolve({ path: "new.png", type, size: 3 });
      },
    },
    hub,
    clock,
    random: new CountingRandom(),
    log,
    metrics: new Metrics(),
    settings: () => chatSettings,
    ownPort: () => ({ port: 18_800 }),
  });
  return {
    ...stage,
    chat,
    polls,
    dynamicAgents,
    questions,
    folders,
    uploaded,
    chatSettings,
    open(shown = {}, ip = "127.0.0.1") {
      const link = new StageLink();
      chat.accept(link, { peer: { ip, local: true }, shown });
      return link;
    },
  };
}
