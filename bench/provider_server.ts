/**
 * A provider of the OpenAI-compatible kind that streams as many parts as the last number in the
 * question says, each as soon as the one before has left. Prints its address when it listens.
 */

const encoder = new TextEncoder();

if (import.meta.main) {
  Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(`listening on http://127.0.0.1:${port}`),
  }, async (request) => {
    const asked = [...(await request.text()).matchAll(/count to (\d{1,4})/g)].at(-1)?.[1];
    return new Response(answerOf(Number(asked ?? 1)), {
      headers: { "content-type": "text/event-stream" },
    });
  });
}

function answerOf(parts: number): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      if (sent < parts) {
        // A turn for each part, so that they leave one by one.
        await new Promise((resolve) => setTimeout(resolve, 0));
        controller.enqueue(eventOf({ content: `${++sent} ` }, null));
        return;
      }
      controller.enqueue(eventOf({}, "stop"));
      controller.enqueue(encoder.encode("data: [DONE]\n\n"));
      controller.close();
    },
  });
}

function eventOf(delta: { readonly content?: string }, finish: string | null): Uint8Array {
  const chunk = {
    id: "bench",
    object: "chat.completion.chunk",
    created: 1_770_000_000,
    model: "stream",
    choices: [{ index: 0, delta, finish_reason: finish }],
  };
  return encoder.encode(`data: ${JSON.stringify(chunk)}\n\n`);
}
