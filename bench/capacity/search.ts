/** What one step found. `why`: in words, why the machine does not carry it; undefined when it does. */
export interface Step {
  size: number;
  why: string | undefined;
}

export interface Found {
  /** The most that was carried; 0 when not even the first step was. */
  carried: number;
  /** The smallest that was not; undefined when the largest allowed was carried. */
  failed: Step | undefined;
}

/** Growth from step to step until one fails. */
const GROWTH = 1.6;
/** Then the gap is halved so often. */
const HALVINGS = 3;

/** Raises the size until it is too much, then closes in on the last one that was not. */
export async function searchCapacity(
  start: number,
  max: number,
  carries: (size: number) => Promise<Step>,
): Promise<Found> {
  let carried = 0;
  let failed: Step | undefined;
  for (let size = start; failed === undefined && carried < max; size = Math.min(max, Math.ceil(size * GROWTH))) {
    const step = await carries(size);
    if (step.why === undefined) carried = size;
    else failed = step;
  }
  for (let halving = 0; failed !== undefined && halving < HALVINGS; halving += 1) {
    const size = Math.round((carried + failed.size) / 2);
    if (size === carried || size === failed.size) break;
    const step = await carries(size);
    if (step.why === undefined) carried = size;
    else failed = step;
  }
  return { carried, failed };
}
