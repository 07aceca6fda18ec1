import type { Credentials } from './session.ts';

/** The router, or a proxy before it, answered with an error. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
  }
}

export interface RequestOptions {
  /** Default `GET`. */
  method?: 'GET' | 'POST' | undefined;
  /** None for what everybody may see. */
  credentials?: Credentials | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Asks the router that this page came from. `path`: without a slash at its beginning.
 * @throws ApiError for an error that was answered; TypeError when nobody answers.
 */
export async function ask(
  path: string,
  { method = 'GET', credentials, signal }: RequestOptions = {},
): Promise<Response> {
  const authorization = credentials?.kind === 'token' ? { authorization: `Bearer ${credentials.token}` } : {};
  const response = await fetch(new URL(path, new URL('.', location.href)), {
    method,
    headers: authorization,
    credentials: credentials?.kind === 'cookie' ? 'same-origin' : 'omit',
    signal: signal ?? null,
  });
  if (response.ok) return response;
  const { code, message } = (await errorOf(response)) ?? {};
  throw new ApiError(response.status, code ?? 'UNKNOWN', message ?? `The router answered ${response.status}`);
}

/** What it answers as JSON. @throws as `ask` does. */
export async function askJson<Answer>(path: string, options: RequestOptions = {}): Promise<Answer> {
  return (await ask(path, options)).json() as Promise<Answer>;
}

/** Undefined where it is not the router that answers. */
async function errorOf(response: Response): Promise<{ code?: string; message?: string } | undefined> {
  try {
    return ((await response.json()) as { error?: { code?: string; message?: string } }).error;
  } catch {
    return undefined;
  }
}
