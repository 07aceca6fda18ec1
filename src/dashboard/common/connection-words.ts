import type { ConnectionState } from '../../client/index.ts';
import type { State } from './bar.tsx';

/** How the SDK begins what is about the credentials, whether the router or the callback for them has refused. */
const SIGNED_OUT = /^Not signed in\b/;

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
  return state.name === 'closed' && SIGNED_OUT.test(state.reason);
}
