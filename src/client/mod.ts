/** A client of the gateway for programs; see {@linkcode GatewayClient}. */

export {
  type AnsweredError,
  CallFailed,
  ConnectionFailed,
  type ConnectionFault,
} from "./client_error.ts";
export {
  type CallOptions,
  type ClientInfo,
  type ClosedConnection,
  type GatewayClientOptions,
  type TwoAnswerOptions,
  type TwoAnswers,
} from "./client_options.ts";
export { EventStream } from "./event_stream.ts";
export { GatewayClient } from "./gateway_client.ts";
export type { GatewayEvent, Hello } from "./server_frame.ts";
