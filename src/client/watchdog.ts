/** How often time is looked at, ms. */
export const WATCH_EVERY_MS = 10_000;

/** Silence after which a connection is dead, in ticks: what the protocol promises at least every 30 s is missing for the second time. */
const DEAD_AFTER_TICKS = 7;
/** The same while something was asked that is always answered. */
const UNANSWERED_TICKS = 3;

/**
 * Finds out that a connection is dead though nobody closed it. It counts ticks and not time: a laptop that slept for an hour, or a page that the browser let
 * rest, finds on waking that one tick has passed, and what has arrived meanwhile is still to be read.
 */
export class Watchdog {
  #silentTicks = 0;

  /** Something arrived, whatever it was. */
  heard(): void {
    this.#silentTicks = 0;
  }

  /** One interval has passed. `isAsked`: an answer is still to come. True when the connection is dead. */
  tick(isAsked: boolean): boolean {
    this.#silentTicks += 1;
    return this.#silentTicks >= (isAsked ? UNANSWERED_TICKS : DEAD_AFTER_TICKS);
  }
}
