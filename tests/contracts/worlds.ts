import { onTestFinished } from 'vitest';
import { frameOf, openEncoder, openViewer, TestClient } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { SERVICE_TOKEN } from '../support/two-users.ts';

/** How the original clients get in: with a session's token or cookie in the place of the made-up ones, or just as they are. */
export const MODES = ['with a session', 'with AUTH_MODE=insecure-dev'] as const;
export type Mode = (typeof MODES)[number];

/** Who has no name and no session is that user to a router which asks nobody. */
const NAMELESS = 'dev';

/** A router and the user whose clients they are. */
export interface World {
  mode: Mode;
  router: TestRouter;
  userId: string;
  /** What clients that have a token show. */
  token: string;
  /** The session's, for pages that show no token; undefined: none is needed. */
  cookie: string | undefined;
  /** For HTTP paths. */
  headers: Record<string, string>;
  /** `?token=` of an ML service that comes as a client; empty: it shows none. */
  serviceQuery: string;
}

/** The router is to be stopped by whoever opens it. */
export async function openWorld(mode: Mode, env: Record<string, string> = {}): Promise<World> {
  const common = { ML_SERVICE_TOKEN: SERVICE_TOKEN, STREAM_GRACE_MS: '0', STREAM_MAX_FPS: '1000', ...env };
  if (mode === 'with AUTH_MODE=insecure-dev') {
    const router = await startTestRouter({ env: { ...common, AUTH_MODE: 'insecure-dev' } });
    const token = 'a-token-as-examples-have-it';
    return { mode, router, userId: NAMELESS, token, cookie: undefined, headers: {}, serviceQuery: '' };
  }
  const router = await startTestRouter({ env: { ...common, ALLOW_ML_CLIENTS: 'true' } });
  const { userId, token, cookie } = await router.signUp();
  const headers = { authorization: `Bearer ${token}` };
  return { mode, router, userId, token, cookie, headers, serviceQuery: `?token=${SERVICE_TOKEN}` };
}

/** One of the original clients: it says what a test has it say, and nothing else. It ends with the test. */
export async function openClient({ router }: World, path: string): Promise<TestClient> {
  const client = await TestClient.open(`${router.wsUrl}${path}`);
  onTestFinished(() => client.socket.terminate());
  return client;
}

/** The other side: a phone of that user, which is told alerts. */
export async function openPhone({ router, token }: World, streamId?: string, register: object = {}) {
  const options = { register: { ...(streamId === undefined ? {} : { streamId }), ...register } };
  const opened = await openEncoder(router.wsUrl, token, options);
  onTestFinished(() => opened.encoder.socket.terminate());
  const send = (jpeg: Buffer, fields: object = {}) => {
    opened.encoder.send(frameOf(opened.encoder, opened.streamId, jpeg, fields));
  };
  return { phone: opened.encoder, streamId: opened.streamId, send };
}

/** The other side: a dashboard of that user. */
export async function openDashboard({ router, token }: World, streamId: string): Promise<TestClient> {
  const dashboard = await openViewer(router.wsUrl, token, streamId);
  onTestFinished(() => dashboard.socket.terminate());
  return dashboard;
}

/** An alert out of the blue, as the ML service may post it. */
export async function raise({ router }: World, alert: object): Promise<void> {
  const response = await fetch(`${router.httpUrl}/alerts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SERVICE_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(alert),
  });
  const { accepted } = (await response.json()) as { accepted: number };
  if (accepted !== 1) throw new Error(`the alert was refused: ${response.status}`);
}
