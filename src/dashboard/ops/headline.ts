import type { State } from '../common/bar.tsx';
import { clockTime, counted, duration, number } from './numbers.ts';
import { type Look, perSecond, recentSpan, type Span, sum } from './samples.ts';

/** How the router is, in a line. */
export interface Headline {
  /** All of it, with numbers that change all the time. */
  words: string;
  /** For the bar, and so for screen readers, which are told when it changes: the same words as long as the state is the same. */
  state: State;
}

export interface HeadlineParts {
  looks: readonly Look[];
  nowMs: number;
  /** Of the device; for tests. */
  timeZone?: string | undefined;
}

/** Over which time it is judged: one late frame is no state. */
const RECENT_SECONDS = 10;
/** Of what viewers are offered, a share that is worth a word when it is skipped. */
const SLOW_SHARE = 0.01;
/** Of the one thread's time: above it everything waits for something. */
const BUSY_SHARE = 0.9;
/** Alerts that wait for the service that keeps them. */
const MANY_ALERTS = 50;

interface Trouble {
  mood: 'warn' | 'bad';
  short: string;
  words: string;
}

/** Says how the router is. The worst comes first. */
export function headline({ looks, nowMs, timeZone }: HeadlineParts): Headline {
  const last = looks.at(-1);
  if (last === undefined) return { words: 'Asking the router…', state: { mood: 'unknown', words: 'Connecting…' } };
  const { sample } = last;
  if (sample === undefined) return silence(looks, nowMs);
  const { stats, ready } = sample;
  const size = `${counted(stats.activeStreams.length, 'stream')}, ${counted(stats.totalVideoConsumers, 'viewer')}.`;
  if (ready.status === 'draining') {
    const words = `The router shuts down: it takes no new connections, and sends away who is there. ${size}`;
    return { words, state: { mood: 'warn', words: 'The router shuts down' } };
  }
  const span = recentSpan(looks, RECENT_SECONDS);
  const troubles = [
    mlTrouble(looks, timeZone),
    ...(span === undefined ? [] : [busyness(span), rejections(span), slowViewers(span), waitingAlerts(span)]),
  ].filter((trouble) => trouble !== undefined);
  const [worst] = troubles;
  if (worst === undefined) {
    const isIdle = stats.activeStreams.length === 0;
    const words = isIdle ? `All is well, and no camera is connected. ${size}` : `Everything is delivered. ${size}`;
    return { words, state: { mood: 'good', words: 'All is well' } };
  }
  const words = `${troubles.map((trouble) => trouble.words).join(' ')} ${size}`;
  return { words, state: { mood: worst.mood, words: worst.short } };
}

function silence(looks: readonly Look[], nowMs: number): Headline {
  const seen = looks.findLast(({ sample }) => sample !== undefined);
  const since = seen === undefined ? '' : ` last seen ${duration(Math.max(1000, nowMs - seen.atMs))} ago,`;
  const words = `Router does not answer:${since} trying again.`;
  return { words, state: { mood: 'bad', words: 'Router does not answer' } };
}

/** Since when the ML service has been away, as far as this page saw it. */
function mlTrouble(looks: readonly Look[], timeZone: string | undefined): Trouble | undefined {
  const isAway = ({ sample }: Look) => sample?.ready.degraded.includes('ml') ?? true;
  const last = looks.at(-1);
  if (last === undefined || !isAway(last)) return undefined;
  const wasThere = looks.findLastIndex((look) => !isAway(look));
  const firstMs = looks[wasThere + 1]?.atMs ?? last.atMs;
  const since = `since ${clockTime(firstMs, timeZone)}${wasThere === -1 ? ' or earlier' : ''}`;
  const words = `The ML service does not answer ${since}: frames are still routed, but not analysed.`;
  return { mood: 'warn', short: 'The ML service does not answer', words };
}

function busyness(span: Span): Trouble | undefined {
  const active = perSecond(span, ({ metrics }) => metrics.values.get('watchout_event_loop_active_seconds_total') ?? 0);
  if (active === null || active < BUSY_SHARE) return undefined;
  const words = `The router is busy ${number(Math.min(1, active) * 100)} % of its time, so frames may be late.`;
  return { mood: 'bad', short: 'The router is too busy', words };
}

function rejections(span: Span): Trouble | undefined {
  const rejected = perSecond(span, ({ stats }) => sum(stats.frames.rejected));
  if (rejected === null || rejected === 0) return undefined;
  const words = `Cameras send more than is let in, or what is not theirs: ${rate(rejected)} are refused.`;
  return { mood: 'warn', short: 'Frames of cameras are refused', words };
}

function slowViewers(span: Span): Trouble | undefined {
  const slow = perSecond(span, ({ stats }) => stats.frames.dropped.slow);
  const offered = perSecond(span, ({ stats }) => stats.frames.offered);
  if (slow === null || offered === null || slow <= offered * SLOW_SHARE) return undefined;
  const words = `Some viewers are slow: ${rate(slow)} of ${number(offered)} are skipped for them, the others get all.`;
  return { mood: 'warn', short: 'Some viewers are slow', words };
}

function waitingAlerts({ now: { stats } }: Span): Trouble | undefined {
  const queued = stats.webhook?.queued ?? 0;
  if (queued < MANY_ALERTS) return undefined;
  const words = `${counted(queued, 'alert')} wait for the service that keeps them.`;
  return { mood: 'warn', short: 'Alerts wait', words };
}

function rate(perSecondCount: number): string {
  return `${number(perSecondCount)} frames a second`;
}
