/** Numbers for people: short, with their units. */

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const FINE = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** `12,345`, `34`, `2.5`: a decimal only where it tells something. */
export function number(value: number): string {
  return (Math.abs(value) < 10 ? FINE : WHOLE).format(value);
}

/** `480 KiB`. */
export function bytes(value: number): string {
  if (value < 1024) return `${WHOLE.format(value)} B`;
  if (value < 1024 * 1024) return `${number(value / 1024)} KiB`;
  return `${number(value / 1024 / 1024)} MiB`;
}

/** `40 ms`, `4 s`, `12 min`, `3 h`, `2 d`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${WHOLE.format(ms)} ms`;
  if (ms < 120_000) return `${number(ms / 1000)} s`;
  if (ms < 7_200_000) return `${WHOLE.format(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${WHOLE.format(ms / 3_600_000)} h`;
  return `${WHOLE.format(ms / 86_400_000)} d`;
}

/** `1 stream`, `3 streams`. */
export function counted(count: number, noun: string): string {
  return `${WHOLE.format(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `14:02`, of this device's time zone unless told otherwise. */
export function clockTime(epochMs: number, timeZone?: string): string {
  const format = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone } as const;
  return new Intl.DateTimeFormat('en', format).format(epochMs);
}
