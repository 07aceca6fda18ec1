import type { HttpRequest } from 'uWebSockets.js';
import type { Credentials } from '../router/ports.ts';

/**
 * What a request shows. `none`: nothing that counts, a WebSocket may still say it in its first message; `hint` says what did not count. `rejected`: it
 * must not count, for the reason given. Neither names a secret.
 */
export type Shown =
  | { kind: 'none'; hint?: string }
  | { kind: 'rejected'; reason: string }
  | { kind: 'credentials'; credentials: Credentials };

/** The parts of a request that say who asks, and whose page sent it. */
export interface RequestHead {
  /** Without the leading `?`, as it stands in the URL. */
  query: string;
  /** Every header of that name. */
  authorization: readonly string[];
  cookie: readonly string[];
  origin: string;
  host: string;
  /** Every `X-Forwarded-For`, joined. */
  forwardedFor: string;
  /** `Sec-Fetch-Site`: browsers say so whether another site's page asks, also where they send no `Origin`. */
  fetchSite: string;
  referer: string;
}

/** Both names the web app's sign-in may use: the second one over HTTPS. */
const COOKIE_NAMES = ['__Secure-better-auth.session_token', 'better-auth.session_token'];

/** Copies what counts out of a request, which is gone after the first `await`. */
export function readRequestHead(req: HttpRequest): RequestHead {
  const authorization: string[] = [];
  const cookie: string[] = [];
  const forwardedFor: string[] = [];
  // The library answers only the first of several headers of one name.
  req.forEach((name, value) => {
    if (name === 'authorization') authorization.push(value);
    else if (name === 'cookie') cookie.push(value);
    else if (name === 'x-forwarded-for') forwardedFor.push(value);
  });
  return {
    // The library answers undefined without a query, whatever its types say.
    query: req.getQuery() ?? '',
    authorization,
    cookie,
    origin: req.getHeader('origin'),
    host: req.getHeader('host'),
    forwardedFor: forwardedFor.join(','),
    fetchSite: req.getHeader('sec-fetch-site'),
    referer: req.getHeader('referer'),
  };
}

/**
 * The first credentials found: `?ticket=`, `?token=`, `Authorization: Bearer`, then the session cookie. Two different ones in the query, or two `Authorization` headers, are none: whoever
 * stands before the router may have looked at the other. A cookie counts only for the router's own pages and those of allowed origins, since a browser
 * sends it by itself, whoever's page asked it to.
 */
export function findCredentials(request: RequestHead, allowedOrigins: readonly string[]): Shown {
  const tickets = queryValues(request.query, 'ticket');
  if (tickets.length > 1) return rejected('ticket: given more than once');
  if (tickets[0] !== undefined) {
    return { kind: 'credentials', credentials: { kind: 'ticket', ticket: tickets[0] } };
  }
  const tokens = queryValues(request.query, 'token');
  if (tokens.length > 1) return rejected('token: given more than once');
  if (tokens[0] !== undefined) return token(tokens[0]);

  if (request.authorization.length > 1) return rejected('Authorization: given more than once');
  const bearer = /^bearer +([^\s,]+)$/i.exec(request.authorization[0] ?? '')?.[1];
  if (bearer !== undefined) return token(bearer);
  if (/^bearer\b/i.test(request.authorization[0] ?? '')) return rejected('Authorization: not one bearer token');

  const cookie = sessionCookie(request.cookie.join(';'));
  if (cookie === undefined) return { kind: 'none' };
  // As if it were not there: the browser added it, and the page may have credentials of its own to say.
  if (!isFromAllowedPage(request, allowedOrigins))
    return { kind: 'none', hint: 'the cookie of this Origin is not taken' };
  return token(cookie);
}

/**
 * Whether a page may use its visitor's cookie here. Without an `Origin` it is no browser, or an address typed in, or a page of the router's own; or
 * another's that shows a picture, which says so in `Sec-Fetch-Site`, and whose page it is in `Referer`.
 */
function isFromAllowedPage(request: RequestHead, allowedOrigins: readonly string[]): boolean {
  const { origin, host, fetchSite, referer } = request;
  if (origin === '' && fetchSite !== 'cross-site' && fetchSite !== 'same-site') return true;
  const page = origin === '' ? originOf(referer) : origin;
  return allowedOrigins.includes(page) || (origin !== '' && hostOf(origin) === host);
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : '';
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}

function token(value: string): Shown {
  return { kind: 'credentials', credentials: { kind: 'token', token: value } };
}

function rejected(reason: string): Shown {
  return { kind: 'rejected', reason };
}

/** Different values of one parameter that are not empty. */
function queryValues(query: string, name: string): string[] {
  // Not URLSearchParams: it turns the + of an unescaped base64 signature into a space.
  const pairs = query.split('&').filter((pair) => pair.startsWith(`${name}=`) && pair.length > name.length + 1);
  return [...new Set(pairs.map((pair) => percentDecoded(pair.slice(name.length + 1))))];
}

/** Of several cookies of one name the first, as the web app takes it: browsers send that of the narrowest path first. */
function sessionCookie(header: string): string | undefined {
  const cookies = header.split(';').map((cookie) => cookie.trim());
  for (const name of COOKIE_NAMES) {
    const cookie = cookies.find((candidate) => candidate.startsWith(`${name}=`));
    if (cookie !== undefined && cookie.length > name.length + 1) return cookie.slice(name.length + 1);
  }
  return undefined;
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
