import type { ConnectionState } from '../../client/index.ts';
import type { State } from './bar.tsx';

/** Close codes after which the credentials are to blame. */
const SIGNED_OUT_CODES = new Set([1008, 4401]);

/** The state of a connection, for people. */
export function connectionWords(state: ConnectionState): State {
  switch (state.name) {
    case 'connecting':
      return { mood: 'unknown', words: state.attempt > 1 ? 'Connecting again…' : 'Connecting…' };
    case 'open':
      return { mood: 'good', words: 'Connected' };
    case 'waiting':
      return { mood: 'warn', words: `No connection, trying again: ${state.reason}` };
    case 'closed':
      return { mood: 'bad', words: `Disconnected: ${state.reason}` };
  }
}

/** Whether it ended because the router does not know who this is, or no longer. */
export function isSignedOut(state: ConnectionState): boolean {
  return state.name === 'closed' && state.code !== undefined && SIGNED_OUT_CODES.has(state.code);
}
