/** Time, chance and the network's word, as a part: tests bring their own. */
export interface World {
  /** Never goes back, ms. */
  nowMs(): number;
  /** Ms since the epoch. */
  epochMs(): number;
  /** From 0 to 1. */
  random(): number;
  /** Calls `action` once, later. Answers what calls it off. */
  after(delayMs: number, action: () => void): () => void;
  /** Calls `listener` each time the machine may have come to another network, or to life: it has one again, or the page is looked at again. Answers what ends that. */
  whenBack(listener: () => void): () => void;
}

/** `pageshow`: it was left, and `back` has brought it up again as it was. */
const BACK_EVENTS = ['online', 'pageshow'] as const;

/** That of the page or the process. */
export const REAL_WORLD: World = {
  nowMs: () => performance.now(),
  epochMs: () => Date.now(),
  random: () => Math.random(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
  whenBack(listener) {
    // Node tells nobody, and a worker knows of no page.
    if (typeof globalThis.addEventListener !== 'function') return () => undefined;
    const page = typeof document === 'undefined' ? undefined : document;
    const shown = () => {
      if (!page?.hidden) listener();
    };
    page?.addEventListener('visibilitychange', shown);
    for (const name of BACK_EVENTS) globalThis.addEventListener(name, listener);
    return () => {
      page?.removeEventListener('visibilitychange', shown);
      for (const name of BACK_EVENTS) globalThis.removeEventListener(name, listener);
    };
  },
};
