import type { ContenderName } from './contenders.ts';
import { PLAIN_WORK, type Work } from './measure.ts';

/** One question, put to several servers. */
export interface Scenario {
  id: string;
  title: string;
  work: Work;
  /** What the router is held against: the better of these. Measured before and after it, in every round. */
  bases: readonly ContenderName[];
  /** Measured once in each of the first rounds, for the whole picture. */
  others: readonly ContenderName[];
  /** CPU per delivered frame of the router, against the better base. Undefined: nothing was promised. */
  budget: { ratio: number; work: string } | undefined;
}

const UWS: readonly ContenderName[] = ['uws-publish', 'uws-send'];

/**
 * 1 stream → 100 viewers, at a size. The viewers compute on each frame about what it costs a server, so they are behind every server. With viewers
 * as fast as the server, 34 KB: a router that took 0.15 µs more of user time per frame was charged 0.8 µs more of system time, for waking
 * viewers that slept and for acknowledgements that came while it was sending, and 1.05 became 1.20, or not, by the mood of the scheduler.
 */
export function fanOut(kb: number): Scenario {
  return {
    id: `fan-out-${kb}`,
    title: `1 stream → 100 viewers, ${kb} KB, MessagePack`,
    work: {
      ...PLAIN_WORK,
      pictures: { kind: 'size', bytes: kb * 1000 },
      viewerMicros: 1 + kb / 6,
      // Not more on their way than a viewer may have waiting: what is compared is the work, not the dropping.
      pace: { kind: 'window', frames: kb > 100 ? 2 : 4 },
    },
    bases: UWS,
    others: ['ws', 'socket.io', 'bun'],
    budget: { ratio: 1.1, work: `fan-out 1 → 100, ${kb} KB: CPU per delivered frame against the better bare uWS` },
  };
}

/** Every frame is answered by an `ack`, which costs the router a read of its own. */
export const fanOutWindowed: Scenario = {
  id: 'fan-out-windowed',
  title: '1 stream → 100 viewers, 34 KB, MessagePack; the router’s viewers have a window of 2',
  work: { ...fanOut(34).work, shares: { ...PLAIN_WORK.shares, windowed: 1 } },
  bases: UWS,
  others: [],
  budget: undefined,
};

const MANY: Work = { ...PLAIN_WORK, streams: 100, viewersPerStream: 1, pace: { kind: 'window', frames: 1 } };

export const oneToOne: Scenario = {
  id: 'one-to-one',
  title: '100 streams → 1 viewer each, 34 KB, MessagePack',
  work: MANY,
  bases: UWS,
  others: ['ws', 'socket.io', 'bun'],
  budget: {
    ratio: 1.2,
    work: '100 streams → 1 viewer each, 34 KB: CPU per delivered frame against the better bare uWS',
  },
};

export const oneToOneJson: Scenario = {
  id: 'one-to-one-json',
  title: '100 streams → 1 viewer each, 34 KB, JSON with base64',
  work: { ...MANY, encoderEncoding: 'json', viewerEncoding: 'json' },
  bases: ['bun'],
  others: ['uws-send', 'ws'],
  budget: {
    ratio: 0.6,
    work: '100 streams → 1 viewer each, 34 KB, JSON in and out: CPU per delivered frame against Bun',
  },
};
