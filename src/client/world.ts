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
  /** Calls `listener` each time the machine has a network again. Answers what ends that. */
  whenOnline(listener: () => void): () => void;
}

/** That of the page or the process. */
export const REAL_WORLD: World = {
  nowMs: () => performance.now(),
  epochMs: () => Date.now(),
  random: () => Math.random(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
  whenOnline(listener) {
    // Node tells nobody.
    if (typeof globalThis.addEventListener !== 'function') return () => undefined;
    globalThis.addEventListener('online', listener);
    return () => globalThis.removeEventListener('online', listener);
  },
};
