import { CloseCode } from '../../../proto/close-codes.ts';
import { Outgoing } from '../../router/outgoing.ts';
import type { Arrival } from './arrival.ts';

/** Time over which a drain spreads its closes, and the reconnects of clients that understand `going-away`. */
const CLOSE_SPREAD_MS = 2_000;
const RECONNECT_SPREAD_MS = 5_000;
/** A few are gone at once. */
const CLOSE_SPREAD_PER_SOCKET_MS = 5;

/** Closes all of them with 1012, spread so that not all reconnect in the same moment; clients that understand it learn when to come back. `timestamp`: ms since the epoch. */
export function sendAway(leaving: readonly Arrival[], timestamp: number): void {
  const spreadMs = Math.min(CLOSE_SPREAD_MS, leaving.length * CLOSE_SPREAD_PER_SOCKET_MS);
  for (const [index, { connection, socket }] of leaving.entries()) {
    const closeAfterMs = (index / leaving.length) * spreadMs;
    const reconnectAfterMs = Math.round(closeAfterMs + Math.random() * RECONNECT_SPREAD_MS);
    if (connection?.peer.understands('going-away')) {
      connection.peer.tell(new Outgoing({ type: 'going-away', reconnectAfterMs, timestamp }));
    }
    setTimeout(() => socket?.close(CloseCode.serviceRestart, 'Service restart'), closeAfterMs);
  }
}
