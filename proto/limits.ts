/** The numbers of the protocol that both sides must agree on. Everything an operator may change is configuration. */

/** A stream's name: what clients may choose, and all a router ever generates. */
export const STREAM_ID_PATTERN = /^[A-Za-z0-9_.:-]{1,128}$/;

/** In place of a stream's name: all streams of the session's user. */
export const ALL_STREAMS = '*';

/** Streams one connection may watch or wait for. */
export const MAX_SUBSCRIPTIONS = 1_000;

/** Most frames of one stream that a viewer may ask to have on their way to it at a time. */
export const MAX_WINDOW_FRAMES = 64;

/** What a viewer may ask for as `maxFps`. */
export const VIEWER_FPS = [1, 2, 5, 10, 15, 30] as const;

/** Largest message of a client that has not shown any credentials yet, in bytes. It may send one. */
export const MAX_UNAUTHENTICATED_BYTES = 4 * 1024;

/** Longest token; Better Auth's are 32 characters, about 80 when signed. */
export const MAX_TOKEN_LENGTH = 512;

/** Largest WebSocket message a router accepts unless it is configured otherwise, in bytes. */
export const DEFAULT_MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Longest id of an alert that may be named in `since`, in UTF-16 code units. */
export const MAX_SINCE_LENGTH = 64;

/** Longest text of an alert, in UTF-16 code units. */
export const MAX_ALERT_TEXT_LENGTH = 4_096;

/**
 * Deepest nesting of `metadata`. Both encodings recurse over it: without a limit 16 MiB of `[` would reach the stack's
 * end inside the encoder instead of getting an answer.
 */
export const MAX_METADATA_DEPTH = 32;

/** Largest `metadata` of a registration, as JSON, in UTF-16 code units: it is kept for as long as the stream lives. */
export const MAX_STREAM_METADATA_LENGTH = 16 * 1024;

/**
 * Largest control message, and most that a `video-frame` may carry beside its `data`, in bytes. Decoded values take up to
 * thirty times the space of their bytes (`[[],[],…`), so 16 MiB of them would cost half a gigabyte of heap.
 */
export const MAX_CONTROL_BYTES = 1024 * 1024;
