import type { ConnectionOptions, Secret } from './options.ts';

/** Nobody is signed in, so there is no reason to try. Thrown by a callback for credentials its message is the `reason` of the end. */
export class NotSignedIn extends Error {}

/** What one attempt shows. */
export interface Shown {
  url: string;
  /** To be sent first; undefined: it stands in the URL, or the cookie must do. */
  token: string | undefined;
}

/** Whether another attempt may show something else than the last. */
export function areRenewable({ token, ticket }: ConnectionOptions): boolean {
  return ticket !== undefined || typeof token === 'function';
}

/**
 * The address of one attempt, with fresh credentials where they come from a callback. `path`: as `/streams/register`.
 * @throws NotSignedIn when the callback has none, and whatever the callback throws.
 */
export async function showCredentials(path: string, options: ConnectionOptions): Promise<Shown> {
  const url = routerUrl(options.url, path);
  if (options.ticket !== undefined) {
    url.searchParams.set('ticket', signedIn(await options.ticket()));
    return { url: url.href, token: undefined };
  }
  if (options.token === undefined) return { url: url.href, token: undefined };
  const token = signedIn(typeof options.token === 'function' ? await options.token() : options.token);
  if (options.tokenIn !== 'url') return { url: url.href, token };
  url.searchParams.set('token', token);
  return { url: url.href, token: undefined };
}

/** @throws TypeError when it is no address of the web. */
export function routerUrl(address: string | URL, path: string): URL {
  const url = new URL(address);
  if (!/^(ws|http)s?:$/.test(url.protocol)) throw new TypeError('url: must begin with wss, ws, https or http');
  url.protocol = url.protocol.replace('http', 'ws');
  url.pathname = url.pathname.replace(/\/+$/, '') + path;
  url.hash = '';
  return url;
}

function signedIn(secret: Secret): string {
  if (secret === undefined || secret === null || secret === '') throw new NotSignedIn('Nobody is signed in');
  return secret;
}
