import type { ConnectionState } from 'watchout-router/client';
import { Failure } from './failure.ts';

const UNREACHED = 'The connection was lost';

/** Puts into words where a connection stands, for somebody at a terminal. */
export class ConnectionWords {
  readonly #router: string;
  #wasOpen = false;

  /** `router`: its address, without secrets. */
  constructor(router: string) {
    this.#router = router;
  }

  /** Undefined: nothing worth a line. */
  of(state: ConnectionState): string | undefined {
    switch (state.name) {
      case 'connecting':
      case 'closed':
        return undefined;
      case 'open': {
        const words = this.#wasOpen ? 'connected again' : `connected to ${this.#router}`;
        this.#wasOpen = true;
        return words;
      }
      case 'waiting': {
        const isUnreached = !this.#wasOpen && state.reason === UNREACHED;
        const why = isUnreached ? `No router answers at ${this.#router}` : state.reason;
        return `${why}; once more in ${(state.retryInMs / 1000).toFixed(1)} s`;
      }
    }
  }
}

/** The end of a connection that was not ended here. `reason`: as the SDK says it. */
export function refusal(reason: string, hasToken: boolean): Failure {
  if (!reason.startsWith('Not signed in')) return new Failure(reason);
  return new Failure(
    hasToken
      ? `${reason}\nThe token is wrong, or its session has ended.`
      : 'Not signed in: give a session’s token with --token or in WATCHOUT_TOKEN',
  );
}
