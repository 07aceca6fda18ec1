const HIDDEN = '***';

/**
 * An address as it may be shown: passwords and what stands in its query are hidden, and its path too where that may be a key, as with Slack. What is no
 * address is hidden altogether.
 */
export function hideSecrets(address: string, { hidesPath = false }: { hidesPath?: boolean } = {}): string {
  if (!URL.canParse(address)) return HIDDEN;
  const url = new URL(address);
  const user = url.username === '' && url.password === '' ? '' : `${url.username}${url.password && `:${HIDDEN}`}@`;
  const path = hidesPath && url.pathname !== '/' ? `/${HIDDEN}` : url.pathname;
  const query = [...url.searchParams.keys()].map((name) => `${name}=${HIDDEN}`).join('&');
  // A path that is all there is, as in `mailto:`, has no slashes before it.
  const slashes = address.slice(url.protocol.length).startsWith('//') ? '//' : '';
  const shownPath = path === '/' && query === '' ? '' : path;
  return `${url.protocol}${slashes}${user}${url.host}${shownPath}${query && `?${query}`}`;
}
