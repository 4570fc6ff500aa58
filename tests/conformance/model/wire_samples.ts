/** Hand-written pieces of the providers' streams, for servers that answer byte by byte. */

import type { ProviderApi } from "../../../src/adapters/provider_endpoint.ts";

/** A key that must never be seen in a message; the samples of an error repeat it. */
export const SAMPLE_KEY = "secret-key-0123456789";

/** How each wire says the same things. */
export const WIRES: Readonly<
  Record<ProviderApi, { start: string; delta(text: string): string; end: string; error: string }>
> = {
  "openai-completions": {
    start: `data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n`,
    delta: (text) =>
      `data: {"id":"1","choices":[{"index":0,"delta":{"content":${JSON.stringify(text)}}}]}\n\n`,
    end:
      `data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"prompt_tokens_details":{"cached_tokens":40}}}\n\ndata: [DONE]\n\n`,
    error: `data: {"error":{"message":"overheated ${SAMPLE_KEY}","code":503}}\n\n`,
  },
  "anthropic-messages": {
    start:
      `event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"x","stop_reason":null,"usage":{"input_tokens":60,"cache_read_input_tokens":40,"output_tokens":1}}}\n\nevent: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n`,
    delta: (text) =>
      `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":${
        JSON.stringify(text)
      }}}\n\n`,
    end:
      `event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\nevent: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n`,
    error:
      `event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"overheated ${SAMPLE_KEY}"}}\n\n`,
  },
};
