import { CloseCode } from '../../../proto/close-codes.ts';
import { Outgoing } from '../../router/outgoing.ts';
import type { Clock } from '../../router/ports.ts';
import type { Arrival } from './arrival.ts';

const MAX_UNANSWERED_PINGS = 2;

/**
 * Pings every admitted connection once per interval, and closes those that let two pings in a row pass without a pong or any
 * message. Clients that asked for it are sent a `heartbeat` too: a page in a browser sees no pings. Returns what ends it.
 */
export function startHeartbeat(arrivals: ReadonlySet<Arrival>, clock: Clock, intervalMs: number): () => void {
  const timer = setInterval(() => {
    const heartbeat = new Outgoing({ type: 'heartbeat', timestamp: clock.epochMs() });
    for (const { connection } of arrivals) {
      if (connection === undefined) continue;
      if (connection.unansweredPings >= MAX_UNANSWERED_PINGS) {
        connection.socket.close(CloseCode.heartbeatMissed, 'No answer to pings');
        continue;
      }
      // Behind a backlog the ping would wait too: slow is not dead. The library's idle timeout ends such a connection all the same.
      if (connection.socket.bufferedBytes() > 0) continue;
      connection.ping();
      if (connection.peer.understands('heartbeat')) connection.peer.tell(heartbeat);
    }
  }, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
