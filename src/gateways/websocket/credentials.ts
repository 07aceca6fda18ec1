/** The parts of an upgrade request that may carry credentials, copied before the request object is gone. */
export interface UpgradeRequest {
  /** Without the leading `?`, as it stands in the URL. */
  query: string;
  authorization: string;
  cookie: string;
  origin: string;
  host: string;
}

export interface Credentials {
  token: string;
  /** A browser sends cookies by itself, whoever's page asked it to: then the page's origin counts too. */
  fromCookie: boolean;
}

/** Both names the web app's sign-in may use: the second one over HTTPS. */
const COOKIE_NAMES = ['__Secure-better-auth.session_token', 'better-auth.session_token'];

/** The first credentials found: `?token=`, then `Authorization: Bearer`, then the session cookie. */
export function findCredentials(request: UpgradeRequest): Credentials | undefined {
  const token = queryToken(request.query) ?? bearerToken(request.authorization);
  if (token !== undefined) return { token, fromCookie: false };
  const cookie = sessionCookie(request.cookie);
  return cookie === undefined ? undefined : { token: cookie, fromCookie: true };
}

/** Whether a page of this origin may use its visitor's cookie here. No origin at all means it is not a browser. */
export function isOriginAllowed(request: UpgradeRequest, allowedOrigins: readonly string[]): boolean {
  if (request.origin === '' || allowedOrigins.includes(request.origin)) return true;
  return URL.canParse(request.origin) && new URL(request.origin).host === request.host;
}

function queryToken(query: string): string | undefined {
  for (const pair of query.split('&')) {
    // Not URLSearchParams: it turns the + of an unescaped base64 signature into a space.
    if (pair.startsWith('token=') && pair.length > 6) return percentDecoded(pair.slice(6));
  }
  return undefined;
}

function bearerToken(authorization: string): string | undefined {
  const token = /^bearer +(\S+)$/i.exec(authorization)?.[1];
  return token;
}

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
