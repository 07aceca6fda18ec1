const KEY = 'watchout-session';

/**
 * Who watches, and where: `{url, token}`, or null when nobody has said so. It comes from the address (`#url=…&token=…`, which no server ever sees), or was kept in
 * this tab. In a page of your own the token comes from your app, see "Who is signed in" in the SDK's README.
 */
export function readSession() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.has('token')) {
    const session = { url: given.get('url') ?? 'http://127.0.0.1:3000', token: given.get('token') };
    // So that nobody copies it with the address.
    history.replaceState(null, '', location.pathname + location.search);
    if (isAddress(session.url)) keepSession(session);
  }
  return JSON.parse(sessionStorage.getItem(KEY));
}

export function keepSession(session) {
  sessionStorage.setItem(KEY, JSON.stringify(session));
}

export function forgetSession() {
  sessionStorage.removeItem(KEY);
}

/** Whether the SDK would take this for a router's address. */
export function isAddress(text) {
  return URL.canParse(text) && /^(https?|wss?):$/.test(new URL(text).protocol);
}
