import type { ConnectionRow, FedStream, WatchedStream } from './answers.ts';
import { type Flow, flowOf, type Seen } from './flow.ts';
import { bytes, duration, number } from './numbers.ts';

/** Why a connection is as slow as it is, and what to do. `note`: nothing is wrong, but it has its reason. */
export interface Reason {
  mood: 'good' | 'note' | 'warn' | 'bad';
  words: string;
}

/** Longer than any picture takes on a line that works. */
const SILENT_PAGE_MS = 2_000;
/** A camera that sends nothing for so long is still, as the router's `status` has it. */
const STILL_CAMERA_MS = 5_000;
/** More waits only where the network takes less than comes. */
const MUCH_WAITS_BYTES = 64 * 1024;
/** Below it people see single pictures. */
const FEW_FPS = 8;
/** A clock, or a way, that is off by more than this is worth a word. */
const LATE_MS = 2_000;
const EARLY_MS = -1_000;
const LONG_ROUND_TRIP_MS = 1_000;
/** Less than one in ten seconds is no rate. */
const LEAST_RATE = 0.1;
/** Of what it is offered; one frame now and then everybody misses. */
const SKIPPED_SHARE = 0.02;

const FINE: Reason = { mood: 'good', words: 'Fine.' };

/** Says why. `before`: the look before, of the same connection; undefined: there is none yet. */
export function whySlow(before: Seen | undefined, now: Seen): Reason {
  const flow = flowOf(before, now);
  const { row } = now;
  switch (row.role) {
    case 'encoder':
      return whyEncoder(row, flow) ?? farAway(row) ?? FINE;
    case 'viewer':
    case 'ml':
      return whyViewer(row, flow) ?? farAway(row) ?? FINE;
    case 'alerts':
    case 'unnamed':
      return whyListener(row) ?? farAway(row) ?? FINE;
  }
}

function whyViewer(row: ConnectionRow, flow: Flow | undefined): Reason | undefined {
  const { subscriptions = [] } = row;
  if (subscriptions.length === 0) return { mood: 'note', words: 'It watches nothing.' };
  const unackedMs = Math.max(...subscriptions.map(({ unackedForMs }) => unackedForMs ?? 0));
  if (unackedMs >= SILENT_PAGE_MS) return silentPage(row, unackedMs);
  const skipped = flow !== undefined && isSkipping(flow) ? `, ${skippedWords(flow)}` : '';
  if (row.waitingBytes >= MUCH_WAITS_BYTES || (row.waitingBytes > 0 && skipped !== '')) {
    const advice = 'Fewer frames (maxFps) or smaller pictures would help.';
    return { mood: 'bad', words: `Its network is slow: ${bytes(row.waitingBytes)} wait for it${skipped}. ${advice}` };
  }
  if (flow === undefined) return undefined;
  if (isSkipping(flow)) return slowToAcknowledge(row, subscriptions, flow);
  return quietViewer(subscriptions, flow);
}

function silentPage({ transport }: ConnectionRow, unackedMs: number): Reason {
  const since = duration(unackedMs);
  if (transport === 'mjpeg')
    return { mood: 'bad', words: `It has taken nothing for ${since}: a background tab, or its network is gone.` };
  const words = `The page has acknowledged nothing for ${since}: a background tab, or its network is gone. It gets the newest picture when it answers.`;
  return { mood: 'bad', words };
}

function slowToAcknowledge({ rttMs }: ConnectionRow, subscriptions: readonly WatchedStream[], flow: Flow): Reason {
  const hasWindow = subscriptions.some(({ window }) => window !== null);
  if (!hasWindow)
    return {
      mood: 'warn',
      words: `Its network is slow: ${skippedWords(flow)}. Fewer frames (maxFps) or smaller pictures would help.`,
    };
  const isFar = rttMs !== null && rttMs >= LONG_ROUND_TRIP_MS / 4;
  const cause = isFar
    ? `its round trip is ${duration(rttMs)}; a larger window would help`
    : 'its network is slow, or the page is busy';
  return { mood: 'warn', words: `It acknowledges late: ${skippedWords(flow)}; ${cause}.` };
}

/** Nothing is lost for want of speed. */
function quietViewer(subscriptions: readonly WatchedStream[], flow: Flow): Reason | undefined {
  if (flow.limited >= LEAST_RATE) {
    const asked = subscriptions.flatMap(({ maxFps }) => maxFps ?? []);
    const words = `It asked for at most ${number(Math.max(...asked, 0))} fps: ${number(flow.limited)} of ${number(flow.in)} frames a second are left out.`;
    return { mood: 'note', words };
  }
  const live = subscriptions.filter(({ isLive }) => isLive);
  if (live.length === 0) return { mood: 'note', words: 'It waits: no such stream is live.' };
  if (flow.in < LEAST_RATE) return { mood: 'note', words: 'No camera sends: the picture stands still.' };
  if (live.length === 1 && flow.in < FEW_FPS)
    return { mood: 'note', words: `The camera itself sends only ${number(flow.in)} fps.` };
  return undefined;
}

function whyEncoder({ stream }: ConnectionRow, flow: Flow | undefined): Reason | undefined {
  if (stream === undefined || stream === null)
    return { mood: 'note', words: 'It has registered no stream, or another connection took it over.' };
  return (flow && whyRefused(stream, flow)) ?? whyStill(stream) ?? whyLate(stream) ?? (flow && whyFew(stream, flow));
}

/** Frames that the router does not take. */
function whyRefused({ limitFps }: FedStream, { in: received, out: taken, rejected }: Flow): Reason | undefined {
  if (rejected.rate >= LEAST_RATE) {
    const isByFrames = taken >= limitFps * 0.8;
    const which = isByFrames
      ? `${number(limitFps)} are let in (STREAM_MAX_FPS)`
      : `${number(taken)} are let in: they are too large (STREAM_MAX_BYTES_PER_SECOND)`;
    return { mood: 'warn', words: `Over the limit: ${number(received)} fps, ${which}.` };
  }
  if (rejected.notYours >= LEAST_RATE) {
    return {
      mood: 'bad',
      words: `It sends frames of a stream that it has not registered: ${number(rejected.notYours)} a second are refused.`,
    };
  }
  if (rejected.invalid >= LEAST_RATE) {
    return {
      mood: 'bad',
      words: `It sends what is no frame: ${number(rejected.invalid)} messages a second are refused. Its program must be mended.`,
    };
  }
  return undefined;
}

function whyStill({ lastFrameAgeMs }: FedStream): Reason | undefined {
  if (lastFrameAgeMs === null) return { mood: 'warn', words: 'The camera has sent nothing yet.' };
  if (lastFrameAgeMs < STILL_CAMERA_MS) return undefined;
  return {
    mood: 'warn',
    words: `The camera has sent nothing for ${duration(lastFrameAgeMs)}: it is paused, or its network is gone.`,
  };
}

function whyLate({ arrivedAfterMs }: FedStream): Reason | undefined {
  if (arrivedAfterMs === null) return undefined;
  if (arrivedAfterMs >= LATE_MS) {
    return {
      mood: 'warn',
      words: `Its pictures are ${duration(arrivedAfterMs)} old when they come: its uplink is slow, or its clock is behind.`,
    };
  }
  if (arrivedAfterMs <= EARLY_MS) return { mood: 'note', words: `Its clock is ${duration(-arrivedAfterMs)} ahead.` };
  return undefined;
}

/** It could send more, and does not. */
function whyFew({ askedFps, limitFps, viewers }: FedStream, { in: received }: Flow): Reason | undefined {
  const isThrottled = askedFps !== null && askedFps < limitFps && received <= askedFps + 1;
  if (isThrottled && viewers === 0) {
    const who = askedFps <= 1 ? 'nobody watches' : 'nobody watches, the ML service has enough';
    return { mood: 'note', words: `The camera is throttled to ${number(askedFps)} fps: ${who}.` };
  }
  if (isThrottled)
    return { mood: 'note', words: `The camera is throttled to ${number(askedFps)} fps: nobody asks for more.` };
  if (received < FEW_FPS) return { mood: 'note', words: `The camera itself sends only ${number(received)} fps.` };
  return undefined;
}

function whyListener({ role, waitingBytes }: ConnectionRow): Reason | undefined {
  if (waitingBytes >= MUCH_WAITS_BYTES)
    return { mood: 'bad', words: `Its network is slow: ${bytes(waitingBytes)} of alerts wait for it.` };
  return role === 'unnamed' ? { mood: 'note', words: 'It has not said what it is for.' } : undefined;
}

function farAway({ rttMs }: ConnectionRow): Reason | undefined {
  if (rttMs === null || rttMs < LONG_ROUND_TRIP_MS) return undefined;
  return { mood: 'note', words: `It is far away, or its line is full: its round trip is ${duration(rttMs)}.` };
}

function isSkipping({ slow, in: offered }: Flow): boolean {
  return slow >= Math.max(LEAST_RATE, offered * SKIPPED_SHARE);
}

function skippedWords({ slow, in: offered }: Flow): string {
  return `${number(slow)} of ${number(Math.max(slow, offered))} frames a second are skipped`;
}
