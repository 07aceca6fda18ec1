import type { Router } from '../../router/router.ts';
import type { Exchange } from './exchange.ts';

export function notFound(exchange: Exchange, message: string): void {
  exchange.error(404, 'NOT_FOUND', message);
}

/** What is another user's; counted as such. */
export function forbidden(exchange: Exchange, { counters }: Router, message: string): void {
  counters.unauthorized += 1;
  exchange.error(403, 'UNAUTHORIZED', message);
}

/** `problem` starts with the name of the field or parameter. */
export function invalid(exchange: Exchange, problem: string): void {
  exchange.error(400, 'INVALID_MESSAGE', problem);
}
