import type { Alert, ConnectionState, Frame, RouterError, StreamStatus } from 'watchout-router/client';
import { clockTime, say } from './terminal.ts';

/** Takes what a viewer hears, and writes it out. */
export interface WatchReport {
  /** `path`: of the file it was written to. */
  frame(frame: Frame, path: string | undefined): void;
  alert(alert: Alert): void;
  status(status: { streamId: string; status: StreamStatus }): void;
  gap(gap: { streamId: string }): void;
  state(state: ConnectionState): void;
  error(error: RouterError): void;
  stop(): void;
}

/** Lines a second, when all streams are watched. */
const MAX_LINES = 20;
/** Streams that are remembered between two seconds. */
const MAX_STREAMS = 10_000;

interface StreamSecond {
  frames: number;
  bytes: number;
  newestAgeMs: number | undefined;
  status: StreamStatus | undefined;
}

/** For people: a line each second and stream, alerts and changes as they come. `watched`: a stream's name, or `*`. */
export function wordsReport(watched: string, { hasFrames }: { hasFrames: boolean }): WatchReport {
  const streams = new Map<string, StreamSecond>();
  const of = (streamId: string): StreamSecond => {
    const known = streams.get(streamId);
    if (known !== undefined) return known;
    const fresh = { frames: 0, bytes: 0, newestAgeMs: undefined, status: undefined };
    if (streams.size < MAX_STREAMS) streams.set(streamId, fresh);
    return fresh;
  };
  const line = (streamId: string, text: string) => say(`${clockTime()}  ${streamId}  ${text}`);
  const timer = hasFrames ? setInterval(sayAll, 1000) : undefined;

  function sayAll(): void {
    const lines = [...streams].filter(([, { status, frames }]) => status !== 'offline' || frames > 0);
    for (const [streamId, second] of lines.slice(0, MAX_LINES)) line(streamId, inWords(second));
    if (lines.length > MAX_LINES) line(watched, `and ${lines.length - MAX_LINES} more streams`);
    if (lines.length === 0) line(watched, 'no frames');
    for (const [streamId, second] of streams) {
      if (second.status === 'offline') streams.delete(streamId);
      second.frames = 0;
      second.bytes = 0;
    }
  }

  return {
    frame(frame) {
      const second = of(frame.streamId);
      second.frames += 1;
      second.bytes += frame.data.length;
      second.newestAgeMs = Math.round(frame.receivedAtMs - frame.timestamp);
    },
    alert: ({ streamId, severity, message }) => line(streamId, `alert (${severity}): ${message}`),
    status({ streamId, status }) {
      of(streamId).status = status;
      line(streamId, `is ${status}`);
    },
    gap: ({ streamId }) => line(streamId, 'there may have been alerts that the router has forgotten'),
    state: () => undefined,
    error({ streamId, code, message }) {
      // These end it, and are said at the end.
      if (code === 'AUTH_REQUIRED' || code === 'UNAUTHORIZED') return;
      line(streamId ?? watched, `the router says: ${message} (${code})`);
    },
    stop: () => clearInterval(timer),
  };
}

function inWords({ frames, bytes, newestAgeMs, status }: StreamSecond): string {
  const age = frames === 0 || newestAgeMs === undefined ? '' : `, the newest ${newestAgeMs} ms old`;
  return `${frames} fps, ${Math.round(bytes / 1024)} KiB/s${age}${status === undefined ? '' : `, ${status}`}`;
}

/** For programs: an object for each event, one a line. */
export function jsonReport(): WatchReport {
  const write = (type: string, fields: object) => void process.stdout.write(`${JSON.stringify({ type, ...fields })}\n`);
  return {
    frame({ streamId, timestamp, receivedAtMs, data }, path) {
      const ageMs = Math.round(receivedAtMs - timestamp);
      write('frame', { streamId, timestamp, receivedAtMs, ageMs, bytes: data.length, file: path });
    },
    alert: (alert) => write('alert', alert),
    status: (status) => write('status', status),
    gap: (gap) => write('gap', gap),
    state: (state) => write('state', state),
    error: (error) => write('error', error),
    stop: () => undefined,
  };
}
