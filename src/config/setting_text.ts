/** The texts that settings are written in: durations, addresses, origins, models. */

/** Words for where to listen, as OpenClaw has them. */
export const BIND_WORDS = ["loopback", "lan", "auto", "tailnet", "custom"] as const;

/** Milliseconds in each unit of a duration. */
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Longest duration that means anything here: ten years, in milliseconds. */
const MAX_DURATION_MS = 10 * 365 * 86_400_000;

/**
 * A duration such as `90s`, `30m`, `1.5h` or `0m` in whole milliseconds; a bare number is minutes.
 * Undefined for anything else.
 */
export function durationMs(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)?$/.exec(text.trim().toLowerCase());
  if (match === null) return undefined;
  const ms = Math.round(Number(match[1]) * (UNIT_MS[match[2] ?? "m"] ?? 0));
  return ms <= MAX_DURATION_MS ? ms : undefined;
}

/** Whether {@linkcode durationMs} understands the text. */
export function isDuration(text: string): boolean {
  return durationMs(text) !== undefined;
}

/** What is said of a text that {@linkcode isHttpUrl} refuses. */
export const HTTP_URL_WORDS = "must be an address that begins with http:// or https://";

/** Whether the text is the address of a server that speaks HTTP. */
export function isHttpUrl(text: string): boolean {
  // A reference that stays after substitution was escaped on purpose and is no address either.
  return /^https?:\/\//i.test(text) && URL.canParse(text);
}

/** Whether the text is a plain IPv4 or IPv6 address, without brackets, port or zone. */
export function isIpAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function isIpv6(text: string): boolean {
  return text.length <= 45 && /^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text) &&
    URL.canParse(`http://[${text}]/`);
}

/** Whether the text is an IP address or a host name, without port. */
export function isHost(text: string): boolean {
  if (isIpAddress(text)) return true;
  // All digits and dots, but no address: a mistyped address, not a name.
  if (text.length > 253 || /^[\d.]+$/.test(text)) return false;
  return text.split(".").every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
}

/** Whether the text says where to listen: one of {@linkcode BIND_WORDS} or a host. */
export function isBindAddress(text: string): boolean {
  return isHost(text);
}

/** Whether the text is an IP address or a range in CIDR form. */
export function isProxyAddress(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  if (rest.length > 0 || !isIpAddress(address)) return false;
  if (bits === undefined) return true;
  return /^(0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= (isIpv4(address) ? 32 : 128);
}

/** Whether the text is a web origin: scheme, host and perhaps port, nothing after them. */
export function isOrigin(text: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s*]+$/i.test(text)) return false;
  return URL.canParse(text);
}

/** The home folder's `~` filled in at the start of a path; other paths stay as they are. */
export function expandHome(path: string, home: string): string {
  if (path === "~") return home;
  return /^~[\\/]/.test(path) ? `${home.replace(/[\\/]+$/, "")}/${path.slice(2)}` : path;
}

/** The model that a setting names, as `provider/id`. */
export interface ModelChoice {
  readonly primary: string | undefined;
}

/** Both ways to write a model in the settings, as one. */
export function modelChoice(setting: string | { readonly primary?: string }): ModelChoice {
  return { primary: typeof setting === "string" ? setting : setting.primary };
}

/** Where to listen, and why it is not where the setting says, if so. */
export interface BindHost {
  readonly host: string;
  readonly note?: string;
}

/**
 * The address that a `gateway.bind` stands for. `addresses` are the machine's own, for `tailnet`:
 * without one in 100.64.0.0/10 it falls back to loopback, never to a wider address.
 */
export function bindHost(bind: string, options: {
  readonly customBindHost?: string;
  readonly addresses?: readonly string[];
} = {}): BindHost {
  switch (bind) {
    case "loopback":
    case "auto":
      return { host: "127.0.0.1" };
    case "lan":
      return { host: "0.0.0.0" };
    case "custom":
      return options.customBindHost === undefined
        ? { host: "127.0.0.1", note: "gateway.customBindHost is not set; listening on loopback" }
        : { host: options.customBindHost };
    case "tailnet": {
      const address = (options.addresses ?? []).find(isTailnet);
      return address === undefined
        ? { host: "127.0.0.1", note: "no tailnet address was found; listening on loopback" }
        : { host: address };
    }
    default:
      return { host: bind };
  }
}

/** Addresses of 100.64.0.0/10, which tailnets use (RFC 6598). */
function isTailnet(address: string): boolean {
  if (!isIpv4(address)) return false;
  const [first, second] = address.split(".").map(Number);
  return first === 100 && second !== undefined && second >= 64 && second <= 127;
}
