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

/** Pages that are trusted, by their origin: a list of them, or a rule. */
export interface Origins {
  includes(origin: string): boolean;
}

/** Both names the web app's sign-in may use: the second one over HTTPS. */
const COOKIE_NAMES = ['__Secure-better-auth.session_token', 'better-auth.session_token'];

/** Headers that may come more than once, and then mean something else than the first alone. */
const SEVERAL = ['authorization', 'cookie', 'x-forwarded-for'];
const NONE = { authorization: [], cookie: [], forwardedFor: [] };

/** Copies what counts out of a request, which is gone after the first `await`. */
export function readRequestHead(req: HttpRequest): RequestHead {
  const { authorization, cookie, forwardedFor } = repeated(req);
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

/** Asked for one by one, the library answers only the first of several headers of one name; all at once it makes strings of all headers there are. */
function repeated(
  req: HttpRequest,
): Pick<RequestHead, 'authorization' | 'cookie'> & { forwardedFor: readonly string[] } {
  if (SEVERAL.every((name) => req.getHeader(name) === '')) return NONE;
  const found = { authorization: [] as string[], cookie: [] as string[], forwardedFor: [] as string[] };
  req.forEach((name, value) => {
    if (name === 'authorization') found.authorization.push(value);
    else if (name === 'cookie') found.cookie.push(value);
    else if (name === 'x-forwarded-for') found.forwardedFor.push(value);
  });
  return found;
}

/**
 * The first credentials found: `?ticket=`, `?token=`, `Authorization: Bearer`, then the session cookie. Two different ones in the query, or two `Authorization` headers, are none: whoever
 * stands before the router may have looked at the other. A cookie counts only for the router's own pages and those of allowed origins, since a browser
 * sends it by itself, whoever's page asked it to.
 */
export function findCredentials(request: RequestHead, allowedOrigins: Origins): Shown {
  const ticket = queryValue(request.query, 'ticket');
  if (ticket === null) return rejected('ticket: given more than once');
  if (ticket !== undefined) return { kind: 'credentials', credentials: { kind: 'ticket', ticket } };
  const inQuery = queryValue(request.query, 'token');
  if (inQuery === null) return rejected('token: given more than once');
  if (inQuery !== undefined) return token(inQuery);

  if (request.authorization.length > 1) return rejected('Authorization: given more than once');
  const bearer = /^bearer +([^\s,]+)$/i.exec(request.authorization[0] ?? '')?.[1];
  if (bearer !== undefined) return token(bearer);
  if (/^bearer\b/i.test(request.authorization[0] ?? '')) return rejected('Authorization: not one bearer token');

  const cookie = sessionCookie(request.cookie.join(';'));
  if (cookie === undefined) return { kind: 'none' };
  // As if it were not there: the browser added it, and the page may have credentials of its own to say.
  if (!isFromAllowedPage(request, allowedOrigins))
    return { kind: 'none', hint: 'the cookie of this Origin is not taken' };
  return { kind: 'credentials', credentials: { kind: 'token', token: cookie, isCookie: true } };
}

/** Whether a page may use its visitor's cookie here. */
function isFromAllowedPage(request: RequestHead, allowedOrigins: Origins): boolean {
  const { origin, host } = request;
  const page = pageOf(request);
  return page === undefined || allowedOrigins.includes(page) || (origin !== '' && hostOf(origin) === host);
}

/**
 * The origin of the page that asks; empty when it does not say. Undefined: none that need be asked about. Without an `Origin` it is no browser, or an address typed
 * in, or a page of the router's own; or another's that shows a picture, which says so in `Sec-Fetch-Site`, and whose page it is in `Referer`.
 */
export function pageOf({ origin, fetchSite, referer }: RequestHead): string | undefined {
  if (origin !== '') return origin;
  return fetchSite === 'cross-site' || fetchSite === 'same-site' ? originOf(referer) : undefined;
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : '';
}

/** With its port, where it is not the usual one. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}

function token(value: string): Shown {
  return { kind: 'credentials', credentials: { kind: 'token', token: value } };
}

function rejected(reason: string): Shown {
  return { kind: 'rejected', reason };
}

/** The value of a parameter; null when there are different ones. Empty ones do not count. */
export function queryValue(query: string, name: string): string | null | undefined {
  let found: string | undefined;
  // Not URLSearchParams: it turns the + of an unescaped base64 signature into a space.
  for (const pair of query.split('&')) {
    if (pair.length <= name.length + 1 || !pair.startsWith(name) || pair[name.length] !== '=') continue;
    const value = percentDecoded(pair.slice(name.length + 1));
    if (found !== undefined && found !== value) return null;
    found = value;
  }
  return found;
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

export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
