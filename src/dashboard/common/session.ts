import { type Signal, signal } from '@preact/signals';
import { inTab, onDevice } from './storage.ts';

/** How this page shows who looks at it: a token that was typed or came in the address, or whatever cookie the browser has of the web app. */
export type Credentials = { kind: 'token'; token: string } | { kind: 'cookie' };

/** Who looks at the page. `signed-out`: the router knows neither token nor cookie, `reason` in its words. */
export type Session = { kind: 'signed-in'; credentials: Credentials } | { kind: 'signed-out'; reason: string };

const TOKEN_KEY = 'watchout.token';

export const session: Signal<Session> = signal({ kind: 'signed-in', credentials: restore() });

/** `isKept`: on this device, and not only as long as this tab is open. */
export function signIn(token: string, isKept: boolean): void {
  forget();
  (isKept ? onDevice : inTab).set(TOKEN_KEY, token);
  session.value = { kind: 'signed-in', credentials: { kind: 'token', token } };
}

/** The router refused what was shown, or the user has had enough. */
export function signOut(reason: string): void {
  forget();
  session.value = { kind: 'signed-out', reason };
}

/** Tries once more with what the browser has, say, after the user has signed in to the web app in another tab. */
export function signInByCookie(): void {
  session.value = { kind: 'signed-in', credentials: { kind: 'cookie' } };
}

function forget(): void {
  inTab.forget(TOKEN_KEY);
  onDevice.forget(TOKEN_KEY);
}

/** A token leaves the address bar at once: people copy from there. */
function restore(): Credentials {
  const address = new URL(location.href);
  const given = address.searchParams.get('token');
  if (given !== null) {
    address.searchParams.delete('token');
    history.replaceState(null, '', address);
    if (given !== '') inTab.set(TOKEN_KEY, given);
  }
  const token = inTab.get(TOKEN_KEY) ?? onDevice.get(TOKEN_KEY);
  return token === null ? { kind: 'cookie' } : { kind: 'token', token };
}
