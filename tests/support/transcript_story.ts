/** What the lines of a transcript do: clients on a staged gateway, and who tells the story. */

import { eventually } from "./deadline.ts";
import { TestDevice } from "./device_key.ts";
import {
  GatewayStage,
  nextTurn,
  quiet,
  STAGE_TOKEN,
  StageLink,
  type StagePeer,
} from "./gateway_stage.ts";
import type { Dialect, Heard } from "./transcript_dialect.ts";
import { directModel } from "./transcript_model.ts";
import { build, differences, isRecord, readPattern } from "./transcript_pattern.ts";

/** A connection as its client knows it. */
interface Client extends Heard {
  readonly link: StageLink;
  closed: boolean;
}

/** A gateway and its clients, to whom things happen line by line. */
export class Story {
  readonly #dialect: Dialect;
  #stage: GatewayStage | undefined;
  readonly #clients = new Map<string, Client>();
  readonly #statuses = new Map<string, number>();
  readonly #devices = new Map<string, TestDevice>();
  readonly #names = new Map<string, unknown>([["TOKEN", STAGE_TOKEN]]);
  readonly #muted = new Set<string>();
  #settings: string | undefined;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Does what one line says, or waits for it; throws where it does not come so. */
  async play(line: string): Promise<void> {
    const raw = /^(\w+)>> ?(.*)$/s.exec(line);
    if (raw !== null) {
      const [, name = "", text = ""] = raw;
      return this.#client(name).link.receive(text);
    }
    const sent = /^(\w+)> (.*)$/s.exec(line);
    if (sent !== null) {
      const [, name = "", text = ""] = sent;
      return this.#send(this.#client(name), text);
    }
    const wanted = /^(\w+)< (.*)$/s.exec(line);
    if (wanted !== null) {
      const [, name = "", text = ""] = wanted;
      return await this.#expect(name, text);
    }
    const directive = /^! (\w+) ?(.*)$/s.exec(line);
    if (directive === null) throw new SyntaxError("no line of a transcript");
    const [, verb = "", rest = ""] = directive;
    const left = await this.unread();
    if (left.length > 0) {
      throw new Error(`before this, the gateway sent what nobody read:\n${left.join("\n")}`);
    }
    await this.#direct(verb, rest);
  }

  /** What nobody has read, one line for each frame. */
  async unread(): Promise<readonly string[]> {
    await quiet();
    return [...this.#clients].flatMap(([name, client]) => {
      this.#skipMuted(client);
      const frames = client.link.inbox.map((frame) => `  ${name}< ${frame}`);
      const { closedWith, terminated } = client.link;
      if (!client.closed && closedWith !== undefined) {
        frames.push(`  ${name}< close ${closedWith.code} ${JSON.stringify(closedWith.reason)}`);
      } else if (!client.closed && terminated) frames.push(`  ${name}< terminated`);
      return frames;
    });
  }

  // What clients do.

  #send(client: Client, text: string): void {
    const frame = /^[[{]/.test(text) ? this.#value(text) : this.#request(text);
    if (isRecord(frame) && typeof frame.id === "string" && typeof frame.method === "string") {
      client.methods.set(frame.id, frame.method);
    }
    client.link.receive(JSON.stringify(frame));
  }

  #request(text: string): unknown {
    const [, id = "", method = "", rest = ""] = /^(\S+) (\S+) ?(.*)$/s.exec(text) ?? [];
    if (method === "") throw new SyntaxError("a request is `id method params`");
    const params = rest === "" ? undefined : this.#value(rest);
    return { type: this.#dialect.request, id, method, params };
  }

  // What the gateway does.

  async #expect(name: string, text: string): Promise<void> {
    const status = /^http (\d+)$/.exec(text)?.[1];
    if (status !== undefined) {
      if (this.#statuses.get(name) === Number(status)) return;
      throw new Error(`got ${this.#statuses.get(name) ?? "a connection"}`);
    }
    const client = this.#client(name);
    const closing = /^close (\d+) (.*)$/s.exec(text);
    if (closing !== null) {
      const [, code = "", reason = ""] = closing;
      return await this.#expectClose(client, { code: Number(code), reason });
    }
    if (text === "terminated") {
      await this.#until(() => client.link.terminated, "the gateway to drop the connection");
      client.closed = true;
      return;
    }
    const pattern = this.#dialect.framePattern(text);
    await this.#until(() => {
      this.#skipMuted(client);
      return client.link.inbox.length > 0 || client.link.over;
    }, "a frame");
    const frame = client.link.inbox.shift();
    if (frame === undefined) throw new Error(`no frame came, but ${ending(client.link)}`);
    const value: unknown = JSON.parse(frame);
    const problems = [
      ...this.#dialect.frameProblems(client, value),
      ...differences(pattern, value, { scope: this.#scope }),
    ];
    if (problems.length === 0) return;
    throw new Error(`${problems.join("\n")}\nthe frame: ${frame}`);
  }

  async #expectClose(
    client: Client,
    { code, reason }: { code: number; reason: string },
  ): Promise<void> {
    const { link } = client;
    await this.#until(() => link.closedWith !== undefined, "the gateway to close the connection");
    this.#skipMuted(client);
    const [first] = link.inbox;
    if (first !== undefined) throw new Error(`before the close came ${first}`);
    const expected = readPattern(`{"code":${code},"reason":${reason}}`).pattern;
    const problems = differences(expected, link.closedWith, { scope: this.#scope });
    if (problems.length > 0) throw new Error(problems.join("\n"));
    client.closed = true;
  }

  #skipMuted(client: Client): void {
    for (;;) {
      const [first] = client.link.inbox;
      const frame: unknown = JSON.parse(first ?? "null");
      if (!isRecord(frame) || !this.#muted.has(String(frame.event))) return;
      const problems = this.#dialect.frameProblems(client, frame);
      if (problems.length > 0) throw new Error(problems.join("\n"));
      client.link.inbox.shift();
    }
  }

  // What the story's teller does.

  async #direct(verb: string, rest: string): Promise<void> {
    switch (verb) {
      case "settings":
        this.#settings = rest;
        return;
      case "mute":
        for (const name of rest.split(" ")) this.#muted.add(name);
        return;
      case "hear":
        for (const name of rest.split(" ")) this.#muted.delete(name);
        return;
      case "open":
        return await this.#open(rest);
      case "join":
        return await this.#join(rest);
      case "drop":
        return this.#client(rest).link.drop();
      case "stall":
        return this.#client(rest).link.stall();
      case "drain":
        return this.#client(rest).link.drain();
      case "advance":
        await (await this.#started()).clock.advance(Number(rest));
        return await quiet();
      case "model":
        return await this.#model(rest);
      case "device":
        this.#devices.set(rest, await TestDevice.create());
        this.#names.set(`${rest}.id`, this.#device(rest).id);
        this.#names.set(`${rest}.publicKey`, this.#device(rest).publicKey);
        return;
      case "claim":
        return await this.#claim(rest);
      case "let": {
        const [, name = "", text = ""] = /^(\w+) (.*)$/s.exec(rest) ?? [];
        this.#names.set(name, this.#value(text));
        return;
      }
      case "repeat": {
        const [, times = "", line = ""] = /^(\d+) (.*)$/s.exec(rest) ?? [];
        for (let at = 1; at <= Number(times); at++) {
          this.#names.set("n", at);
          await this.play(line);
        }
        return;
      }
      case "edit":
        (await this.#started()).file.raw = rest;
        return await (await this.#started()).gateway.reload();
      case "stop": {
        const { gateway } = await this.#started();
        await gateway.stop(rest);
        return;
      }
      case "restart": {
        const after = await this.#started();
        await after.gateway.stop("gateway restarting");
        this.#clients.clear();
        this.#stage = await GatewayStage.start({ after });
        return;
      }
      case "log": {
        const { log } = await this.#started();
        const said = log.lines.some(({ message }) => message === rest);
        if (!said) throw new Error(`the log has: ${log.lines.map(({ message }) => message)}`);
        return;
      }
      default:
        throw new SyntaxError(`no directive is called ${verb}`);
    }
  }

  /** `a from 203.0.113.9 host example.org origin https://example.org` */
  async #open(rest: string): Promise<void> {
    const [name = "", ...words] = rest.split(" ");
    const facts = new Map<string, string>();
    for (let at = 0; at < words.length; at += 2) facts.set(words[at] ?? "", words[at + 1] ?? "");
    const peer: StagePeer = {
      ip: facts.get("from"),
      host: facts.get("host"),
      origin: facts.get("origin"),
    };
    const opened = await this.#dialect.open(await this.#started(), peer);
    if (opened instanceof StageLink) {
      this.#clients.set(name, { link: opened, methods: new Map(), sequence: 0, closed: false });
    } else this.#statuses.set(name, opened);
  }

  /** `a operator.read …`: opens a connection on this machine and comes in, as an administrator unless told. */
  async #join(rest: string): Promise<void> {
    const [name = "", ...words] = rest.split(" ");
    const [role, scopes] = words[0] === "node"
      ? ["node", undefined]
      : ["operator", words.length > 0 ? words : ["operator.admin"]];
    await this.#open(name);
    const client = this.#client(name);
    const params = {
      minProtocol: 3,
      maxProtocol: 3,
      client: { id: "test", version: "1.0", platform: "linux", mode: "test", instanceId: name },
      role,
      scopes,
      auth: { token: STAGE_TOKEN },
    };
    await this.#expect(name, "event connect.challenge *");
    client.methods.set("0", "connect");
    client.link.receive(JSON.stringify({ type: "req", id: "0", method: "connect", params }));
    this.#names.delete(`${name}.hello`);
    await this.#expect(name, `0 ok $${name}.hello`);
    const hello = this.#names.get(`${name}.hello`);
    if (isRecord(hello) && isRecord(hello.server)) {
      this.#names.set(`${name}.conn`, hello.server.connId);
    }
  }

  async #model(rest: string): Promise<void> {
    await directModel((await this.#started()).model, rest, {
      scope: this.#scope,
      until: (look, what) => this.#until(look, what),
    });
  }

  /** `name d {nonce: $nonce, …}`: the `device` member of a connect, signed by device `d`, as `$name`. */
  async #claim(rest: string): Promise<void> {
    const [, name = "", device = "", text = ""] = /^(\w+) (\w+) (.*)$/s.exec(rest) ?? [];
    const told = this.#value(text);
    if (!isRecord(told)) throw new SyntaxError("a claim is an object");
    const word = (value: unknown) => typeof value === "string" ? value : undefined;
    const scopes = Array.isArray(told.scopes) ? told.scopes.map(String) : undefined;
    const version = ["v1", "v2", "v3"] as const;
    this.#names.set(
      name,
      await this.#device(device).claim({
        version: version.find((one) => one === told.version),
        clientId: word(told.clientId),
        clientMode: word(told.clientMode),
        role: word(told.role),
        scopes,
        token: word(told.token),
        platform: word(told.platform),
        signedAt: typeof told.signedAt === "number"
          ? told.signedAt
          : (await this.#started()).clock.now(),
        nonce: word(told.nonce),
      }),
    );
  }

  // Plumbing.

  get #scope() {
    return { names: this.#names, start: START };
  }

  #value(text: string): unknown {
    const { pattern, rest } = readPattern(text);
    if (rest !== "") throw new SyntaxError(`more follows the value: ${rest}`);
    return build(pattern, this.#scope);
  }

  async #started(): Promise<GatewayStage> {
    return this.#stage ??= await GatewayStage.start({ settings: this.#settings });
  }

  #client(name: string): Client {
    const client = this.#clients.get(name);
    if (client === undefined) throw new Error(`no connection is called ${name}`);
    return client;
  }

  #device(name: string): TestDevice {
    const device = this.#devices.get(name);
    if (device === undefined) throw new Error(`no device is called ${name}`);
    return device;
  }

  async #until(look: () => boolean, what: string): Promise<void> {
    await nextTurn();
    if (!look()) await eventually(look, what, PATIENCE_MS);
  }
}

/** The start of the manual clock: `@0`. */
const START = 1_750_000_000_000;

/** How long a line waits for what should come at once, in milliseconds of real time. */
const PATIENCE_MS = 3_000;

function ending(link: StageLink): string {
  const { closedWith, terminated } = link;
  if (closedWith !== undefined) return `a close ${closedWith.code} "${closedWith.reason}"`;
  return terminated ? "the gateway dropped the connection" : "the connection ended";
}
