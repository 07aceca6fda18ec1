const DAY_MS = 24 * 60 * 60 * 1000;
/** September 2001: there is no older stream, and as seconds it is tens of thousands of years away. */
const FIRST_MS = 1e12;

/**
 * When a picture was captured, as the `X-Timestamp` of its part says, ms since the epoch; undefined where it says nothing that can be true. Routers write ms, and
 * pass on what their encoder's clock says. mjpg-streamer and the ESP32's camera write `<seconds>.<micros>`, the latter often since it was switched on: seconds
 * are believed only when they are about now.
 */
export function capturedAtMs(header: string | undefined, nowEpochMs: number): number | undefined {
  const number = Number(header ?? Number.NaN);
  if (number >= FIRST_MS && number <= nowEpochMs + DAY_MS) return number;
  const ms = number * 1000;
  return Math.abs(ms - nowEpochMs) <= DAY_MS ? ms : undefined;
}
