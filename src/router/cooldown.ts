/** Kinds of alerts remembered at a time; the longest unseen is forgotten first. */
const MAX_KINDS = 100;

/** Lets an alert of a kind through once per `cooldownMs`; 0 lets all through. */
export class Cooldown {
  readonly #cooldownMs: number;
  /** When each kind was let through, in that order. */
  readonly #lastMs = new Map<string, number>();

  constructor(cooldownMs: number) {
    this.#cooldownMs = cooldownMs;
  }

  admits(severity: string, message: string, nowMs: number): boolean {
    if (this.#cooldownMs === 0) return true;
    const kind = `${severity} ${message}`;
    if (nowMs - (this.#lastMs.get(kind) ?? Number.NEGATIVE_INFINITY) < this.#cooldownMs) return false;
    this.#lastMs.delete(kind);
    this.#lastMs.set(kind, nowMs);
    const [oldest] = this.#lastMs.keys();
    if (this.#lastMs.size > MAX_KINDS && oldest !== undefined) this.#lastMs.delete(oldest);
    return true;
  }
}
