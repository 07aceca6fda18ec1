import { ErrorCode } from '../../proto/errors.ts';
import { ALL_STREAMS } from '../../proto/limits.ts';
import type { RouterError } from './types.ts';
import type { Incoming, Outgoing } from './wire.ts';
import { isSame, type Wish } from './wish.ts';

export interface SubscriptionsParts {
  send: (message: Outgoing) => void;
  /** Id of the last alert that the application has seen before, if it knows one: for what is wanted before the first connection is there. */
  since: string | undefined;
  /** A subscription is about to be asked for anew: what comes until its `success` belongs to the one before. */
  replacing: (streamId: string) => void;
}

type Success = Extract<Incoming, { type: 'success' }>;

/** One subscription, as the router was asked for it. */
interface Asked {
  wish: Wish;
  /** Requests without an answer yet. */
  unanswered: number;
  /** It was answered, and is not being ended. */
  isOn: boolean;
  isLeaving: boolean;
}

/** What an answer meant. */
export type Answer =
  | { kind: 'began'; streamId: string; wish: Wish; hasGap: boolean }
  | { kind: 'ended'; streamId: string };

/** With a window of 2 the SDK chooses between 1 and 2 by itself, see `Feed.reserved`. */
export const CHOSEN_WINDOW = 2;

/**
 * A router that has not let the connection in yet holds a certain number of messages, and closes over it. A wall of more streams than this asks for the rest when it
 * is in.
 */
const ASKED_AT_THE_DOOR = 100;

/** Refusals of a subscription that may be none a little later. */
const LATER: ReadonlySet<string> = new Set([
  ErrorCode.unavailable,
  ErrorCode.tooManyConnections,
  ErrorCode.rateLimited,
]);

/**
 * The subscriptions of one viewer on the wire: brings what was asked for in line with what is wanted, and remembers over cuts how far each one's alerts have
 * come.
 */
export class Subscriptions {
  readonly #parts: SubscriptionsParts;
  readonly #asked = new Map<string, Asked>();
  /** For each subscription with alerts the last id: of an alert, or the router's word for "so far". */
  readonly #cursors = new Map<string, string>();
  #wanted: ReadonlyMap<string, Wish> = new Map();
  #since: string | undefined;
  #mayAsk: 'nothing' | 'some' | 'all' = 'nothing';

  constructor(parts: SubscriptionsParts) {
    this.#parts = parts;
    this.#since = parts.since;
  }

  /** A subscription of this name was asked for, or is being ended: what comes of the stream is its, and not that of `*`. */
  has(streamId: string): boolean {
    return this.#asked.has(streamId);
  }

  /** From now on. Ends what is not in it. */
  want(wishes: ReadonlyMap<string, Wish>): void {
    this.#wanted = wishes;
    for (const streamId of this.#cursors.keys()) {
      if (wishes.get(streamId)?.alerts !== true) this.#cursors.delete(streamId);
    }
    if (this.#since !== undefined) {
      for (const [streamId, { alerts }] of wishes) if (alerts) this.#cursors.set(streamId, this.#since);
    }
    for (const [streamId, asked] of this.#asked)
      if (!wishes.has(streamId) && !asked.isLeaving) this.#leave(streamId, asked);
    this.#askForMissing();
  }

  /** A line is open, but may not have been let in. */
  opened(): void {
    this.#mayAsk = 'some';
    this.#askForMissing();
  }

  admitted(): void {
    this.#mayAsk = 'all';
    this.#since = undefined;
    this.#askForMissing();
  }

  /** The line is gone, and with it everything that was asked for on it. */
  lost(): void {
    this.#mayAsk = 'nothing';
    this.#asked.clear();
  }

  /** Undefined: more answers about this stream are on their way, or it is not about a subscription. */
  answered({ streamId = '', alerts, lastAlert }: Success): Answer | undefined {
    const asked = this.#asked.get(streamId);
    if (asked === undefined) return undefined;
    asked.unanswered -= 1;
    if (lastAlert !== undefined && asked.wish.alerts && !this.#cursors.has(streamId))
      this.#cursors.set(streamId, lastAlert);
    if (asked.unanswered > 0) return undefined;
    if (asked.isLeaving) {
      this.#asked.delete(streamId);
      return { kind: 'ended', streamId };
    }
    asked.isOn = true;
    return { kind: 'began', streamId, wish: asked.wish, hasGap: alerts === 'gap' };
  }

  /** True when the subscription is over for good; otherwise it is asked for again by `askAgain`. */
  refused({ streamId = '', code }: RouterError): boolean {
    if (!this.#asked.delete(streamId)) return false;
    return !LATER.has(code);
  }

  /** Everything that was asked before has been answered now, or was refused without a word of the stream: that is as if it had not been asked. */
  forgetUnanswered(): void {
    for (const [streamId, { unanswered }] of this.#asked) if (unanswered > 0) this.#asked.delete(streamId);
  }

  /** What is wanted and was not asked for. */
  askAgain(): void {
    this.#askForMissing();
  }

  /**
   * An alert has come, and need not be sent again. A router sends alerts in the order of their ids, so all earlier ones have come, too, of every subscription that
   * has been answered: what was missed is sent right behind that answer.
   */
  noteAlert(id: string): void {
    for (const [streamId, { isOn, wish }] of this.#asked) {
      const cursor = this.#cursors.get(streamId);
      if (isOn && wish.alerts && (cursor === undefined || id > cursor)) this.#cursors.set(streamId, id);
    }
  }

  #askForMissing(): void {
    if (this.#mayAsk === 'nothing') return;
    // All streams first: what a subscription of its own to a stream then takes over, it has to the last alert.
    const names = [...this.#wanted.keys()].sort((one, other) => rank(one) - rank(other));
    for (const streamId of names) {
      if (this.#mayAsk === 'some' && this.#asked.size >= ASKED_AT_THE_DOOR) return;
      const wish = this.#wanted.get(streamId);
      const asked = this.#asked.get(streamId);
      if (wish !== undefined && (asked === undefined || asked.isLeaving || !isSame(asked.wish, wish))) {
        this.#ask(streamId, wish, asked);
      }
    }
  }

  #ask(streamId: string, wish: Wish, asked: Asked | undefined): void {
    // On a connection that has it the router changes it in one step, and loses no alert.
    const since = asked === undefined ? this.#cursors.get(streamId) : undefined;
    const { frames, alerts, maxFps, window } = wish;
    this.#parts.replacing(streamId);
    this.#asked.set(streamId, {
      wish,
      unanswered: (asked?.unanswered ?? 0) + 1,
      isOn: asked?.isOn ?? false,
      isLeaving: false,
    });
    this.#parts.send({
      type: 'subscribe',
      clientType: 'dashboard',
      streamId,
      consumes: [...(frames ? ['video-frame'] : []), ...(alerts ? ['alert'] : [])],
      maxFps,
      window: frames ? (window ?? CHOSEN_WINDOW) : undefined,
      since: alerts ? since : undefined,
      // Not `heartbeat`: one that nobody asked for could be taken for an answer.
      understands: ['going-away'],
    });
  }

  #leave(streamId: string, asked: Asked): void {
    this.#parts.replacing(streamId);
    asked.isLeaving = true;
    asked.isOn = false;
    asked.unanswered += 1;
    this.#parts.send({ type: 'unsubscribe', streamId });
  }
}

function rank(streamId: string): number {
  return streamId === ALL_STREAMS ? 0 : 1;
}
