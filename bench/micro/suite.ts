/** A module of the micro benchmark: it exports its question, and makes its tasks when asked. */
export interface Suite {
  /** One sentence, the heading above the suite's figures. */
  readonly question: string;
  /** Makes everything the tasks need. Nothing is done on import. */
  readonly tasks: () => MicroTask[];
}

export interface MicroTask {
  /** Unique within its suite. */
  readonly name: string;
  /** What is measured. Its result goes to `sink`. An `async` function is awaited, and the promise measured with it. */
  readonly operation: () => unknown;
  /** Called when all is measured. Throws when the operations did not do what the task's name says. */
  readonly check?: () => void;
}

/** Takes every operation's result. Anybody might read it, so V8 cannot leave out the work that made it. */
export const sink: { result: unknown } = { result: undefined };

/** The measuring loop alone: in a suite whose operations take nanoseconds, this much of each is not theirs. */
export function nothing(): MicroTask {
  return { name: 'nothing, the loop alone', operation: () => undefined };
}

/** As `nothing`, for operations that are promises. */
export function nothingAsync(): MicroTask {
  return { name: 'nothing, the loop alone, with a promise', operation: async () => undefined };
}

/** @throws Error unless `actual` is what a task's name promises. */
export function mustBe(what: string, actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`${what}: ${actual}, not ${expected}: this would be another benchmark`);
}
