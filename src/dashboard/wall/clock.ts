import { signal } from '@preact/signals';

const EVERY_MS = 1_000;

/** The time, ms since the epoch, brought up to date once a second: what is shown of rates and ages goes by it. */
export const clock = signal(Date.now());

setInterval(() => {
  clock.value = Date.now();
}, EVERY_MS);
