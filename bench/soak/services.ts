import { type ServerProcess, startServer } from '../support/server-process.ts';
import type { MlCondition } from './conditions.ts';

/** Port 1 is reserved, and nobody's. */
const NOBODY_S_URL = 'http://127.0.0.1:1';

/** Starts the service of a condition. `server` undefined: nobody listens. */
export async function startService(
  condition: Exclude<MlCondition, 'off'>,
): Promise<{ url: string; server: ServerProcess | undefined }> {
  if (condition === 'dead') return { url: NOBODY_S_URL, server: undefined };
  const server = await startServer(new URL('../servers/ml-trouble.js', import.meta.url), { ML_CONDITION: condition });
  return { url: `http://127.0.0.1:${server.port}`, server };
}
