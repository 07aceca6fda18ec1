import { Pool } from 'undici';
import type { Clock } from '../../router/ports.ts';
import type { AlertReceiver } from './receiver.ts';
import { parseRetryAfter } from './retry.ts';
import { signatureHeaders } from './signature.ts';

export interface HttpReceiverParts {
  /** http or https, without a user. The query is sent, and never logged: it may hold a key. */
  url: string;
  /** Without one nothing is signed. */
  secret: string | undefined;
  maxInFlight: number;
  /** Deadline of an attempt, the answer's body included. */
  timeoutMs: number;
  clock: Clock;
}

/** Nobody reads the answer's body. One this long or shorter is let through, which saves the connection; a longer one ends it. */
const MAX_ANSWER_BYTES = 16 * 1024;

/** The receiver over HTTP, through one pool of kept-alive connections. Redirects are not followed. */
export function createHttpReceiver(parts: HttpReceiverParts): AlertReceiver {
  const { clock, secret, timeoutMs } = parts;
  const url = new URL(parts.url);
  const pool = new Pool(url.origin, {
    connections: parts.maxInFlight,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: timeoutMs },
  });
  return {
    // Without its path: services like Slack keep the key there.
    address: url.origin,
    async post({ id, body }) {
      const signature = secret === undefined ? {} : signatureHeaders(secret, body, clock.epochMs());
      const response = await pool.request({
        method: 'POST',
        path: `${url.pathname}${url.search}`,
        headers: { 'content-type': 'application/json', 'x-watchout-alert-id': id, ...signature },
        body,
        // The timeouts above each start anew with every byte; this is the deadline of the whole.
        signal: AbortSignal.timeout(timeoutMs),
      });
      const retryAfter = response.headers['retry-after'];
      // Waited for: its connection is not free before. The answer counts, however its body ends.
      await response.body.dump({ limit: MAX_ANSWER_BYTES });
      return {
        status: response.statusCode,
        retryAfterMs: parseRetryAfter(typeof retryAfter === 'string' ? retryAfter : undefined, clock.epochMs()),
      };
    },
    close: () => pool.destroy(),
  };
}
