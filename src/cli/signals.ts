import { ExitCode } from './failure.ts';

/** As shells say that a program was ended by SIGINT. */
const INTERRUPTED = 130;
/** What is left to do when all is said: closing handshakes. */
const LAST_WORDS_MS = 2_000;

/** Aborted by the first SIGINT or SIGTERM, so that things end in order. An impatient second one ends the process at once. */
export function endOnSignal(): AbortSignal {
  const controller = new AbortController();
  const end = () => (controller.signal.aborted ? process.exit(INTERRUPTED) : controller.abort());
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  return controller.signal;
}

/** The process ends with this code when nothing is left to do, or soon. */
export function endSoon(code: number = ExitCode.done): void {
  process.exitCode = code;
  setTimeout(() => process.exit(code), LAST_WORDS_MS).unref();
}
