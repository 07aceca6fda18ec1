/**
 * Microseconds of the machine's monotonic clock: the same in every thread and process, unlike `performance.now()`, whose zero
 * is the start of its own thread. A number is exact to the microsecond for 285 years.
 */
export function monotonicMicros(): number {
  return performance.now() * 1000 + ZERO_MICROS;
}

const ZERO_MICROS = Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000;
