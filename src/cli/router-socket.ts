import type { WebSocketClass } from 'watchout-router/client';
import WebSocket from 'ws';
import { CloseCode } from '../../proto/close-codes.ts';

/** A router may refuse at the upgrade: with the status, what others say when they close the connection again. */
const CLOSINGS: Readonly<Record<number, { code: number; reason: string }>> = {
  401: { code: CloseCode.policyViolation, reason: 'A valid session token is required' },
  429: { code: CloseCode.tryAgainLater, reason: 'Too many attempts' },
  503: { code: CloseCode.tryAgainLater, reason: 'Try again later' },
};
const LOST = { code: 1006, reason: '' };

/**
 * For the SDK: shows a token in a header, where routers that refuse at the upgrade look for it and no proxy logs it. Pages can set none, so the SDK does not do it by itself.
 */
export function routerSocket(token: string | undefined): WebSocketClass {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return class RouterSocket extends WebSocket {
    constructor(url: string) {
      super(url, { headers });
      this.on('unexpected-response', (_request, { statusCode = 0 }) => {
        const { onclose } = this;
        this.onclose = null;
        this.terminate();
        onclose?.({ type: 'close', target: this, wasClean: false, ...(CLOSINGS[statusCode] ?? LOST) });
      });
    }
  };
}
