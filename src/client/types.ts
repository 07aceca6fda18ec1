import type { ErrorCode } from '../../proto/errors.ts';

/** How bad it is, from harmless to worst. */
export type Severity = 'low' | 'medium' | 'high' | 'critical';

/** A stream's state: its encoder is there, frames come, or it is gone. */
export type StreamStatus = 'online' | 'streaming' | 'offline';

/** What flows over a subscription or out of a registration. */
export type Channel = 'video-frame' | 'alert';

/** Something was seen on a stream. Times are ms since the epoch. */
export interface Alert {
  /** Unique; ids of later alerts sort after those of earlier ones, as text. */
  id: string;
  streamId: string;
  severity: Severity;
  message: string;
  metadata: Record<string, unknown>;
  timestamp: number;
  /** In which picture, where the router knows it: its number, when it was captured, and how old it was when the alert went out. */
  frame?: { seq: number; timestamp: number; ageMs: number; sinceCaptureMs: number };
}

/** The router refused something. `message` is for the developer and begins with the field it is about. */
export interface RouterError {
  code: ErrorCode;
  message: string;
  /** Whose subscription was refused, or has ended. */
  streamId?: string;
}

/**
 * Where the connection stands, in words for a page. `code`: of the WebSocket that was closed. After `closed` nothing follows: it was closed here, or to try again
 * unchanged would not help, and `reason` says why.
 */
export type ConnectionState =
  | { name: 'connecting'; attempt: number }
  | { name: 'open' }
  | { name: 'waiting'; retryInMs: number; reason: string; code?: number }
  | { name: 'closed'; reason: string; code?: number };
