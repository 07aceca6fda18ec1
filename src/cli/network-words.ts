const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no host of this name',
  EAI_AGAIN: 'there is no host of this name, or no network',
  ECONNRESET: 'it cut the connection',
  EHOSTUNREACH: 'no way leads there',
  ENETUNREACH: 'no way leads there',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_SOCKET: 'it cut the connection',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
  UND_ERR_BODY_TIMEOUT: 'it says nothing any more',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is its own, and not trusted here',
  CERT_HAS_EXPIRED: 'its certificate has expired',
};

/** Why something on the network failed, in plain words and without the address, which may hold a secret. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  return REASONS[code] ?? (code || (error instanceof Error ? error.name : String(error)));
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  // Of several addresses each has failed.
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error.name === 'TimeoutError' ? 'ETIMEDOUT' : codeOf(error.cause);
}
