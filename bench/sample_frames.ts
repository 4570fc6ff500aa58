/** Frames of usual size and content, for measurements without a server. */

/** A call without parameters. */
export const SMALL_REQUEST = '{"type":"req","id":"c0ffee-17","method":"health","params":{}}';

/** A chat message of 2,000 characters. */
export const LARGE_REQUEST = JSON.stringify({
  type: "req",
  id: "c0ffee-18",
  method: "chat.send",
  params: {
    sessionKey: "agent:main:main",
    message: "What did we say about the heating last week? ".repeat(45).slice(0, 2_000),
    idempotencyKey: "5a0d4a0e-5d1f-4b7a-9c39-0f6f0a8f0c11",
    timeoutMs: 60_000,
  },
});

/** What `health` answers in a household with two agents. */
export const HEALTH_PAYLOAD = {
  ok: true,
  ts: 1_770_000_000_000,
  durationMs: 2,
  channels: {},
  channelOrder: [],
  channelLabels: {},
  heartbeatSeconds: 1_800,
  defaultAgentId: "main",
  agents: ["main", "garden"].map((agentId) => ({
    agentId,
    isDefault: agentId === "main",
    heartbeat: {
      enabled: true,
      every: "30m",
      everyMs: 1_800_000,
      prompt: "Read HEARTBEAT.md if it exists and follow it. If nothing needs attention, say so.",
      target: "last",
      ackMaxChars: 300,
    },
    sessions: sessionsOf(agentId),
  })),
  sessions: sessionsOf("main"),
};

/** One step of a streamed answer. */
export const STREAM_PAYLOAD = {
  runId: "7d7dc9b8-6a0c-4f35-9a0c-4a5dba1d2a1c",
  seq: 41,
  stream: "assistant",
  ts: 1_770_000_000_000,
  data: { text: "The heating was ".repeat(20), delta: "was " },
  sessionKey: "agent:main:main",
};

function sessionsOf(agentId: string): unknown {
  const recent = Array.from({ length: 5 }, (_, at) => ({
    key: `agent:${agentId}:talk-${at}`,
    updatedAt: 1_769_999_000_000 + at,
    age: 1_000_000 - at,
  }));
  return { path: "/home/someone/.clawgate/clawgate.db", count: 12, recent };
}

/** The frame of that step. */
export const SAMPLE_EVENT = JSON.stringify({
  type: "event",
  event: "agent",
  payload: STREAM_PAYLOAD,
  seq: 1_234,
});
