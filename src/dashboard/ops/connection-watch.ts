import { computed, signal } from '@preact/signals';
import { ApiError, askJson } from '../common/api.ts';
import { type Credentials, session, signOut } from '../common/session.ts';
import { inTab } from '../common/storage.ts';
import type { ConnectionTable } from './answers.ts';
import { repeat } from './repeat.ts';

const EVERY_MS = 2_000;
const DEADLINE_MS = 5_000;
const OPS_KEY = 'watchout.ops-token';

/** Two looks at the table of connections, one after the other. */
export interface Tables {
  before: ConnectionTable | undefined;
  now: ConnectionTable;
}

export const tables = signal<Tables | undefined>(undefined);
/** Why there is no newer one, in words. */
export const trouble = signal<string | undefined>(undefined);
/** Of those who run the router: it shows everybody's. It stays in this tab. */
export const opsToken = signal<string | null>(inTab.get(OPS_KEY));
/** The last one that was typed was not the router's. */
export const isOpsTokenWrong = signal(false);

/** How the table is asked for; undefined: nobody is signed in. */
export const credentials = computed<Credentials | undefined>(() => {
  if (opsToken.value !== null) return { kind: 'token', token: opsToken.value };
  return session.value.kind === 'signed-in' ? session.value.credentials : undefined;
});

export function keepOpsToken(token: string): void {
  inTab.set(OPS_KEY, token);
  isOpsTokenWrong.value = false;
  opsToken.value = token;
}

export function forgetOpsToken(): void {
  inTab.forget(OPS_KEY);
  opsToken.value = null;
}

/** Asks for the table every two seconds as long as somebody is signed in. Returns what ends it. */
export function watchConnections(): () => void {
  let stop = () => {};
  const unsubscribe = credentials.subscribe((shown) => {
    stop();
    tables.value = undefined;
    trouble.value = undefined;
    stop = shown === undefined ? () => {} : repeat(EVERY_MS, (ended) => look(shown, ended));
  });
  return () => {
    unsubscribe();
    stop();
  };
}

async function look(shown: Credentials, ended: AbortSignal): Promise<void> {
  // Nobody looks.
  if (document.hidden) return;
  try {
    const signal = AbortSignal.any([ended, AbortSignal.timeout(DEADLINE_MS)]);
    const now = await askJson<ConnectionTable>('api/connections', { credentials: shown, signal });
    tables.value = { before: tables.value?.now, now };
    trouble.value = undefined;
  } catch (error) {
    if (!ended.aborted) failed(error);
  }
}

function failed(error: unknown): void {
  if (!(error instanceof ApiError)) {
    trouble.value = 'The router does not answer; this is what it said last.';
    return;
  }
  if (error.status !== 401) {
    trouble.value = error.message;
    return;
  }
  if (opsToken.value === null) signOut('To see connections, show who you are.');
  else {
    forgetOpsToken();
    isOpsTokenWrong.value = true;
  }
}
