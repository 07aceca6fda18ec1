const AGAIN_AFTER_MS = 10_000;

/** Says the same thing once, and again after a while. */
export class Sparingly {
  readonly #say: (words: string) => void;
  #last: { words: string; atMs: number } | undefined;

  constructor(say: (words: string) => void) {
    this.#say = say;
  }

  tell(words: string): void {
    const nowMs = performance.now();
    if (this.#last?.words === words && nowMs - this.#last.atMs < AGAIN_AFTER_MS) return;
    this.#last = { words, atMs: nowMs };
    this.#say(words);
  }
}
