import { type ConnectionOptions, NotSignedIn } from '../../client/index.ts';
import { ApiError, askJson } from './api.ts';
import type { Credentials } from './session.ts';

const TICKET_DEADLINE_MS = 10_000;

/**
 * What `Viewer` and `Encoder` take. A token buys a ticket for each attempt: in the first message it would come after the cookie that the browser shows by itself, which may be
 * somebody else's, or of another site on this host; and a router that refuses at the upgrade would never hear it.
 */
export function connectionOptions(credentials: Credentials): Pick<ConnectionOptions, 'url' | 'ticket'> {
  const url = new URL('.', location.href);
  return credentials.kind === 'token' ? { url, ticket: () => buyTicket(credentials) } : { url };
}

/** @throws NotSignedIn when the router does not know the credentials; Error when it cannot say just now. */
async function buyTicket(credentials: Credentials): Promise<string> {
  try {
    const signal = AbortSignal.timeout(TICKET_DEADLINE_MS);
    const bought = await askJson<{ ticket: string }>('api/tickets', { method: 'POST', credentials, signal });
    return bought.ticket;
  } catch (error) {
    if (!(error instanceof ApiError)) throw new Error('The router does not answer');
    if (error.status === 401) throw new NotSignedIn('Not signed in: A valid session token is required');
    throw error;
  }
}
