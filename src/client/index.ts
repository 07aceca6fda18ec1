export type { OutgoingAlert } from './alert-outbox.ts';
export type { BackoffLimits } from './backoff.ts';
export { type Camera, type CameraOptions, captureCamera } from './camera.ts';
export type { SubscribeOptions } from './consumer.ts';
export { NotSignedIn } from './credentials.ts';
export {
  Encoder,
  type EncoderEvents,
  type EncoderOptions,
  type SendOutcome,
  type Throttle,
} from './encoder.ts';
export type { Frame } from './frame.ts';
export type { EncoderStats } from './frame-sender.ts';
export type { Sight } from './fresh-pictures.ts';
export type { ConnectionOptions, Secret, SecretSource } from './options.ts';
export type { Alert, Channel, ConnectionState, RouterError, Severity, StreamStatus } from './types.ts';
export { Viewer, type ViewerEvents, type ViewerOptions } from './viewer.ts';
export type { WebSocketClass, WebSocketLike } from './websocket.ts';
export type { MaxFps } from './wish.ts';
export type { World } from './world.ts';
