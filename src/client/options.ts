import type { BackoffLimits } from './backoff.ts';
import type { WebSocketClass } from './websocket.ts';
import type { World } from './world.ts';

/** A secret, or nothing when nobody is signed in. */
export type Secret = string | null | undefined;
/** Asked anew for each attempt. It may reject, and is then asked again later; `null`, or a `NotSignedIn`, says that nobody is signed in, and ends the connection. */
export type SecretSource = () => Secret | Promise<Secret>;

/** What encoders and viewers have in common. */
export interface ConnectionOptions {
  /** The router's address: `wss://router.example`, or with https, http or ws. A path in it stays before the router's own. */
  url: string | URL;
  /** A Better Auth session's token. With neither `token` nor `ticket` the browser's cookie must do. */
  token?: string | SecretSource | undefined;
  /** Buys a ticket (`POST /api/tickets`), usually by asking your own server: then no token ever comes to this client. */
  ticket?: SecretSource | undefined;
  /**
   * Where the token goes: in the first message (default), where no proxy logs it; or in the URL, for routers with `AUTH_REJECT_AT_UPGRADE` and
   * many clients behind one address.
   */
  tokenIn?: 'message' | 'url' | undefined;
  /** Closes the connection for good when it is aborted. */
  signal?: AbortSignal | undefined;
  /** Default: the platform's. On Node 20: that of the package `ws`, if it is installed. */
  WebSocket?: WebSocketClass | undefined;
  /** Pauses between attempts; default: up to 1 s at first, up to 10 s later. */
  backoff?: BackoffLimits | undefined;
  /** How long an attempt may take until the router has answered, ms; default 15,000. */
  connectTimeoutMs?: number | undefined;
  /** Time and chance, for tests. */
  world?: World | undefined;
}
