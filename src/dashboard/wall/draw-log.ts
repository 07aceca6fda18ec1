/** Ten seconds at 30 frames a second. */
const KEPT = 300;
/** Fewer are no rate yet, ms. */
const LEAST_SPAN_MS = 500;
/** What counts for the rate, ms. */
const RATE_SPAN_MS = 3_000;

/** What was drawn lately, and how old it was. A ring: nothing is allocated per frame. */
export class DrawLog {
  readonly #ages = new Float64Array(KEPT);
  readonly #times = new Float64Array(KEPT);
  #drawn = 0;
  #lastReceivedMs: number | undefined;

  /** How many in all. */
  get drawn(): number {
    return this.#drawn;
  }

  /** `ageMs`: from its capture until it was drawn. `nowMs`: of the clock that `fps` is asked with. `receivedAtMs`: when it came to this page. */
  note(ageMs: number, nowMs: number, receivedAtMs: number): void {
    const at = this.#drawn % KEPT;
    this.#ages[at] = ageMs;
    this.#times[at] = nowMs;
    this.#drawn += 1;
    this.#lastReceivedMs = receivedAtMs;
  }

  /** When the last one that was drawn had come: one that is drawn once more is no newer for it. */
  get lastReceivedMs(): number | undefined {
    return this.#lastReceivedMs;
  }

  /** Of the last one, when it was drawn. */
  get lastAgeMs(): number | undefined {
    return this.#drawn === 0 ? undefined : this.#ages[(this.#drawn - 1) % KEPT];
  }

  /** Frames a second over the last three. */
  fps(nowMs: number): number {
    const since = nowMs - RATE_SPAN_MS;
    const times = this.#times.subarray(0, Math.min(this.#drawn, KEPT)).filter((time) => time > since);
    if (times.length < 2) return times.length / (RATE_SPAN_MS / 1_000);
    const oldest = Math.min(...times);
    return ((times.length - 1) * 1_000) / Math.max(LEAST_SPAN_MS, Math.max(...times) - oldest);
  }

  /** Ms that 95 % of those kept were not older than. */
  get ageP95Ms(): number | undefined {
    const ages = this.#ages.slice(0, Math.min(this.#drawn, KEPT)).sort();
    return ages[Math.ceil(ages.length * 0.95) - 1];
  }
}
