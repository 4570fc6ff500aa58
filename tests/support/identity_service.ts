/** An identity service of an operator, over real HTTP. */

/** A service that runs. */
export interface IdentityServer extends AsyncDisposable {
  readonly url: string;
  /** The questions so far. */
  readonly asked: unknown[];
}

/** Starts a service; the token says how it answers. */
export function identityServer(): IdentityServer {
  const asked: unknown[] = [];
  const late = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const question = await request.json();
      asked.push(question);
      const { token } = question;
      if (token === "slow") {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 20_000);
          for (const { signal } of [request, late]) {
            signal.addEventListener("abort", () => {
              clearTimeout(timer);
              resolve();
            });
          }
        });
        return new Response();
      }
      if (token === "broken") return new Response("<html>", { status: 502 });
      if (token === "huge") return new Response("x".repeat(100_000));
      if (token === "moved") return Response.redirect(new URL("/elsewhere", request.url));
      if (token === "teapot") {
        return Response.json({ success: true, data: { userId: "x" } }, {
          status: 418,
        });
      }
      if (token.startsWith("good-")) {
        return Response.json({ success: true, data: { userId: token.slice(5), username: "Jo" } });
      }
      return Response.json({ success: false, error: "expired" });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/api/auth/verify`,
    asked,
    async [Symbol.asyncDispose]() {
      late.abort();
      await server.shutdown();
    },
  };
}
