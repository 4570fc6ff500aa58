import { WebSocket as Ws } from "ws";
const [url, kind, conns, depth] = [Deno.args[0], Deno.args[1], Number(Deno.args[2]), Number(Deno.args[3])];
let n = 0, stop = false;
const msg = JSON.stringify({ type: "req", id: "12345", method: "health", params: {} });
for (let i = 0; i < conns; i++) {
  if (kind === "ws") {
    const s = new Ws(url, { perMessageDeflate: false });
    s.on("open", () => { for (let j = 0; j < depth; j++) s.send(msg); });
    s.on("message", (d) => { d.toString(); n++; if (!stop) s.send(msg); });
  } else {
    const s = new WebSocket(url);
    s.onopen = () => { for (let j = 0; j < depth; j++) s.send(msg); };
    s.onmessage = (e) => { e.data.length; n++; if (!stop) s.send(msg); };
  }
}
setTimeout(() => { const c = process.cpuUsage(); console.log(kind, conns, n, "msgs; client µs/msg", ((c.user + c.system) / n).toFixed(1)); Deno.exit(); }, 4000);
