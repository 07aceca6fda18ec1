import { randomBytes } from 'node:crypto';
import { openAccounts } from './accounts.ts';
import { startCamera } from './camera.ts';
import { startEmbeddedDatabase } from './embedded-database.ts';
import type { RouterIsUp, WorldIsReady } from './launch.ts';
import { startMlService } from './ml-service.ts';

/**
 * Everything around the router that a demo needs, in a process of its own: a database with one signed-in user, a camera, an ML
 * service. The router beside it runs as it would in production, and its CPU and memory are its own.
 */

// Ctrl-C reaches the whole process group. This process goes when its parent does, so that the router can drain first.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit(0));

const secret = randomBytes(32).toString('hex');
const [database, mlService] = await Promise.all([startEmbeddedDatabase(), startMlService()]);
const accounts = await openAccounts(database.url, secret);
const { token } = await accounts.signUp('demo');
await accounts.close();

process.on('message', (message: RouterIsUp) => startCamera(message.routerUrl, token, message.streamId));
const ready: WorldIsReady = { databaseUrl: database.url, secret, token, mlServiceUrl: mlService.url };
process.send?.(ready);
