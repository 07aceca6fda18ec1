import { createHmac } from 'node:crypto';

/**
 * Headers by which a receiver knows that a body is this router's and recent: `x-watchout-signature` is `sha256=` and the hex
 * HMAC-SHA256 of `<timestamp>.<body>`, `x-watchout-timestamp` the time of the attempt, ms since the epoch.
 */
export function signatureHeaders(secret: string, body: Uint8Array, nowEpochMs: number): Record<string, string> {
  const timestamp = String(nowEpochMs);
  const digest = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex');
  return { 'x-watchout-timestamp': timestamp, 'x-watchout-signature': `sha256=${digest}` };
}
