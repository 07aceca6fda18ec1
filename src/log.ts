import { type DestinationStream, type Logger, pino } from 'pino';
import type { Log } from './router/ports.ts';

/** The process's logger: JSON lines on stdout, one event a line. Nothing that holds a token is ever handed to it. */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    redact: ['token', '*.token', 'authorization', 'cookie', '*.authorization', '*.cookie'],
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** The logger as the router's port sees it. */
export function asLog(logger: Logger): Log {
  return (level, facts, message) => logger[level](facts, message);
}
