import assert from "node:assert/strict";
import { join } from "node:path";
import { startGateway } from "../../mod.ts";

Deno.test("a token in the settings file counts at once, before that of the state folder", async () => {
  const stateDir = await Deno.makeTempDir();
  const gateway = await startGateway({ flags: { port: "0", stateDir } });
  try {
    await gateway.ready;
    const first = gateway.token;
    assert.ok(first !== undefined);
    const url = `${gateway.url.replace("ws:", "http:")}/metrics`;
    const enters = async (token: string): Promise<boolean> => {
      const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
      await answer.body?.cancel();
      return answer.ok;
    };
    assert.equal(await enters(first), true);
    const token = "file-token-0123456789abcdef";
    const path = join(stateDir, "clawgate.json");
    const until = Date.now() + 10_000;
    await Deno.writeTextFile(path, JSON.stringify({ gateway: { auth: { token } } }));
    while (!await enters(token)) assert.ok(Date.now() < until, "the new token does not count");
    assert.equal(await enters(first), false);
    await Deno.writeTextFile(path, "{}");
    while (!await enters(first)) assert.ok(Date.now() < until, "the stored token does not count");
  } finally {
    await gateway.stop("end of test");
    await Deno.remove(stateDir, { recursive: true });
  }
});

Deno.test("a gateway does not start with a log file that is no log of its own", async () => {
  const stateDir = await Deno.makeTempDir();
  try {
    const file = join(stateDir, "profile");
    await Deno.writeTextFile(file, "export A=1\n");
    await Deno.writeTextFile(
      join(stateDir, "clawgate.json"),
      JSON.stringify({ logging: { file } }),
    );
    await assert.rejects(
      startGateway({ flags: { port: "0", stateDir } }),
      /logging\.file cannot be/,
    );
    assert.equal(await Deno.readTextFile(file), "export A=1\n");
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});
