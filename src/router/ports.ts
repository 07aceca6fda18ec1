import type { Encoded, Encoding } from '../../proto/codec.ts';
import type { DeliveredAlert } from '../../proto/messages.ts';

/** What the router asks of the world. Gateways, `ml/` and `auth/` implement these; tests fake them. */

/**
 * `sent`: gone to the kernel. `queued`: accepted, waiting in user memory. `refused`: over the socket's limit, nothing of
 * it will arrive.
 */
export type SendResult = 'sent' | 'queued' | 'refused';

/**
 * One client's WebSocket. Calls on a closed socket do nothing; a send then answers `refused`. Whoever implements it reports each
 * refusal of a viewer's open socket to `Viewers.dropped` too, before the send returns.
 */
export interface PeerSocket {
  /** A frame: never compressed, JPEG does not get smaller. */
  sendFrame(frame: Encoded, encoding: Encoding): SendResult;
  /** Anything else. */
  sendControl(message: Encoded, encoding: Encoding): SendResult;
  /** Bytes that wait in user memory (the kernel's are invisible). */
  bufferedBytes(): number;
  joinTopic(topic: string): void;
  leaveTopic(topic: string): void;
  /** Sends a close frame and ends the connection. */
  close(code: number, reason: string): void;
}

/** Sends one frame to every socket that joined a topic. */
export interface Publisher {
  publishFrame(topic: string, frame: Encoded, encoding: Encoding): void;
}

/** Runs `action` soon, outside the current call from the socket library (`setImmediate`). */
export type Defer = (action: () => void) => void;

/** Runs `action` once, `delayMs` from now. Returns what calls it off. */
export type After = (delayMs: number, action: () => void) => () => void;

export interface Clock {
  /** Wall clock, ms since the epoch: for what people and other machines read. */
  epochMs(): number;
  /** Never goes backwards, ms: for intervals. */
  monotonicMs(): number;
}

/** Takes frames of one stream aside for analysis. Called on the frame path: synchronous, and cheap when it does not want the frame. */
export interface StreamTap {
  wants(nowMs: number): boolean;
  /** Copies what it keeps: `jpeg` is a view into memory that is taken back after the call. */
  take(jpeg: Uint8Array, timestamp: number, seq: number, nowMs: number): void;
  /** The stream is gone: forget it. */
  close(): void;
}

/** What a tap knows of its stream. */
export interface TappedStream {
  readonly id: string;
  /** As its encoder registered it last. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Where frames are taken aside, each stream by its own tap: the frame path need not look it up. */
export interface FrameTap {
  /** Frames a second that it takes of each stream; 0 for none. */
  readonly fps: number;
  open(stream: TappedStream, nowMs: number): StreamTap;
}

/** A frame that was analysed. `jpeg` is read during the call only. */
export interface AnalysedFrame {
  seq: number;
  /** When the encoder captured it, ms since the epoch. */
  timestamp: number;
  /** When it came in, ms of the monotonic clock. */
  takenAtMs: number;
  jpeg: Uint8Array;
}

/** A picture that is kept because of an alert. */
export interface Evidence {
  streamId: string;
  ownerId: string;
  jpeg: Uint8Array;
}

/** Keeps the pictures of alerts, the newest ones. */
export interface EvidenceRoom {
  keep(alertId: string, evidence: Evidence): void;
  find(alertId: string): Evidence | undefined;
}

/** Takes every alert that was accepted, for delivery elsewhere. Returns at once and throws nothing. */
export interface AlertSink {
  take(alert: DeliveredAlert): void;
}

/** Who a connection speaks for, once its credentials were checked. */
export interface Principal {
  userId: string;
  /** Undefined: it lives by none, so none can end it. */
  sessionId: string | undefined;
}

export type Verification =
  /** `expiresAtMs`: when the session ends by itself, ms since the epoch. */
  | { kind: 'session'; principal: Principal; expiresAtMs: number }
  /** No such session, expired, or a bad signature. */
  | { kind: 'refused' }
  /** The session database did not answer: the same credentials may be good in a moment. */
  | { kind: 'unavailable' };

export interface SessionVerifier {
  /** `token`: raw or signed, as Better Auth hands them out, URL-encoded or not. Never rejects. */
  verify(token: string): Promise<Verification>;
}

/** What a client shows to be let in: a session's token, or a ticket that was bought with one. */
export type Credentials =
  /** `isCookie`: a browser added it by itself. */
  { kind: 'token'; token: string; isCookie?: boolean } | { kind: 'ticket'; ticket: string };

/** `limited`: so many attempts from this address have failed that nothing is looked up for it just now. */
export type Admission = Verification | { kind: 'limited' };

/** The one lock of every door: WebSocket, HTTP, pictures. */
export interface Authenticator {
  /** `address`: whose failed attempts count together. Never rejects. */
  verify(credentials: Credentials, address: string): Promise<Admission>;
  /** For what is locked otherwise: whether too many attempts of the address have failed, and that one more has. */
  isLimited(address: string): boolean;
  failed(address: string): void;
}

/** Sells tickets: each opens one connection, instead of the token it was bought with. */
export interface TicketOffice {
  /** Undefined: this user holds too many that are not used yet. */
  issue(session: Extract<Verification, { kind: 'session' }>): { ticket: string; expiresInMs: number } | undefined;
}

/** Something that lasts as long as a session: a connection. */
export interface SessionHolder {
  /** The session was revoked, or has expired. */
  sessionEnded(): void;
}

/** Watches over the sessions of everybody who is connected. */
export interface SessionWatch {
  add(sessionId: string, holder: SessionHolder): void;
  remove(sessionId: string, holder: SessionHolder): void;
}

/** Whose streams are that are not live: the web app may know. */
export interface StreamOwners {
  /** Those of the ids that nothing is known of, so that they must be loaded. */
  unknownOf(streamIds: readonly string[]): readonly string[];
  /** Looks them up. False: the database did not answer. Never rejects. */
  load(streamIds: readonly string[]): Promise<boolean>;
  /** Undefined: not loaded, or too long ago. `userId` undefined: nobody's. */
  known(streamId: string): { userId: string | undefined } | undefined;
}

/** Takes how long something took, ms, and how it ended where it may end in more than one way. Returns at once and throws nothing. */
export type DurationSink<Outcome = void> = (tookMs: number, outcome: Outcome) => void;

/** One line of log with its facts. Structured, so that nothing needs to be parsed at 3 a.m. */
export type Log = (level: 'debug' | 'info' | 'warn' | 'error', facts: Record<string, unknown>, message: string) => void;
