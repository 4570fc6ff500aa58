/**
 * The client side of a benchmark: the platform's own WebSocket, which costs the load side least, and
 * no parsing where the beginning of a frame tells enough.
 */

import type { TestDevice } from "../tests/support/device_key.ts";
import { isJsonObject } from "../src/core/json.ts";
import { within } from "./deadline.ts";
import type { GatewayProcess } from "./server_process.ts";

/** What every answer of a gateway begins with. */
const ANSWER = '{"type":"res"';

/** An open socket. */
export interface LoadClient {
  send(text: string): void;
  /** Gets every message from now on; replaces the receiver before. */
  receive(receiver: (text: string) => void): void;
  /** Rejects when the server ends the connection. */
  readonly broken: Promise<never>;
  /** Closes; resolves when the connection is gone. */
  close(): Promise<void>;
}

/** How a client presents itself. */
export interface Introduction {
  /** Clients of equal names are one entry of the presence list. */
  readonly instanceId: string;
  /** Proves its identity with this key. */
  readonly device?: TestDevice;
}

/** Whether a frame of the gateway is an answer, as opposed to an event. */
export function isAnswer(text: string): boolean {
  return text.startsWith(ANSWER);
}

/** Opens a socket and nothing more; messages that come before the first receiver is set are kept. */
export function openSocket(url: string): Promise<LoadClient> {
  const socket = new WebSocket(url);
  const opened = Promise.withResolvers<LoadClient>();
  const broken = Promise.withResolvers<never>();
  const closed = Promise.withResolvers<void>();
  // Only those who wait on it shall see it.
  broken.promise.catch(() => {});
  const early: string[] = [];
  let deliver = (text: string): void => void early.push(text);
  socket.onmessage = ({ data }) => deliver(String(data));
  socket.onopen = () =>
    opened.resolve({
      send: (text) => socket.send(text),
      receive: (receiver) => {
        deliver = receiver;
        for (const text of early.splice(0)) receiver(text);
      },
      broken: broken.promise,
      close: () => {
        socket.close();
        return within("a connection to close", closed.promise);
      },
    });
  socket.onclose = ({ code, reason }) => {
    const error = new Error(`the server closed a connection: ${code} ${reason}`);
    opened.reject(error);
    broken.reject(error);
    closed.resolve();
  };
  return within("a connection to open", opened.promise);
}

/** Opens a socket to a gateway and shakes hands; resolves at hello-ok. */
export async function openGatewayClient(
  gateway: Pick<GatewayProcess, "url" | "token">,
  introduction: Introduction,
): Promise<LoadClient> {
  const client = await openSocket(gateway.url);
  const challenge = await next(client, (text) => !isAnswer(text));
  const params = await connectParams(gateway.token, { ...introduction, nonce: nonceOf(challenge) });
  await request(client, "connect", params);
  return client;
}

/** Calls a method; resolves with the answer's frame, rejects where it is a refusal. */
export async function request(
  client: LoadClient,
  method: string,
  params: unknown,
): Promise<string> {
  const id = crypto.randomUUID();
  const answered = next(client, (text) => isAnswer(text) && text.includes(id));
  client.send(JSON.stringify({ type: "req", id, method, params }));
  const answer = await answered;
  if (!answer.includes('"ok":true')) throw new Error(`${method} was refused: ${answer}`);
  return answer;
}

/** The next message that `wanted` accepts; others are passed over. */
export function next(client: LoadClient, wanted: (text: string) => boolean): Promise<string> {
  const found = new Promise<string>((resolve) => {
    client.receive((text) => {
      if (!wanted(text)) return;
      client.receive(() => {});
      resolve(text);
    });
  });
  return within("a message", Promise.race([found, client.broken]));
}

/** Opens `count` sockets, at most `OPEN_AT_ONCE` of them at a time. */
export async function openMany(
  count: number,
  open: (at: number) => Promise<LoadClient>,
): Promise<readonly LoadClient[]> {
  const clients: LoadClient[] = [];
  for (let from = 0; from < count; from += OPEN_AT_ONCE) {
    const size = Math.min(OPEN_AT_ONCE, count - from);
    clients.push(...await Promise.all(Array.from({ length: size }, (_, at) => open(from + at))));
  }
  return clients;
}

/** Handshakes at once; a gateway lets more of them wait, but not without end. */
const OPEN_AT_ONCE = 16;

/** Closes all. */
export async function closeAll(clients: readonly LoadClient[]): Promise<void> {
  await Promise.all(clients.map((client) => client.close()));
}

/** What a group does without end: calls on many connections, `depth` of them unanswered on each. */
export interface Pressure {
  /** Sent as it is, over and over; answers are counted, not matched. */
  readonly frame: string;
  readonly depth: number;
  readonly durationMs: number;
  readonly counts: (text: string) => boolean;
}

/** Keeps calls in flight for a time; resolves when all are answered, with their number. */
export async function keepInFlight(
  clients: readonly LoadClient[],
  { frame, depth, durationMs, counts }: Pressure,
): Promise<number> {
  let answered = 0;
  let waiting = clients.length * depth;
  let over = false;
  const done = Promise.withResolvers<void>();
  const timer = setTimeout(() => over = true, durationMs);
  for (const client of clients) {
    client.receive((text) => {
      if (!counts(text)) return;
      answered++;
      if (!over) client.send(frame);
      else if (--waiting === 0) done.resolve();
    });
    for (let sent = 0; sent < depth; sent++) client.send(frame);
  }
  try {
    const broken = Promise.race(clients.map((client) => client.broken));
    await within("the last answers", Promise.race([done.promise, broken]));
  } finally {
    clearTimeout(timer);
  }
  return answered;
}

async function connectParams(
  token: string,
  { instanceId, device, nonce }: Introduction & { readonly nonce: string },
): Promise<unknown> {
  const role = "operator";
  const scopes = ["operator.admin"];
  const signedAt = Date.now();
  return {
    minProtocol: 3,
    maxProtocol: 3,
    client: { id: "test", version: "1.0.0", platform: "bench", mode: "test", instanceId },
    role,
    scopes,
    auth: { token },
    ...(device === undefined
      ? {}
      : { device: await device.claim({ role, scopes, token, signedAt, nonce }) }),
  };
}

function nonceOf(challenge: string): string {
  const frame: unknown = JSON.parse(challenge);
  const payload = isJsonObject(frame) && isJsonObject(frame.payload) ? frame.payload : {};
  if (typeof payload.nonce === "string") return payload.nonce;
  throw new Error(`the first frame is no challenge: ${challenge}`);
}
