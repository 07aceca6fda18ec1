import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { StartError } from '../start-error.ts';

/** From the demo's process: where things are, and who may use them. */
export interface WorldIsReady {
  databaseUrl: string;
  secret: string;
  token: string;
  mlServiceUrl: string;
}

/** To the demo's process: the camera may connect. */
export interface RouterIsUp {
  routerUrl: string;
  streamId: string;
}

export interface DemoWorld extends WorldIsReady {
  /** Starts the camera. */
  routerIsUp(message: RouterIsUp): void;
  /** Resolves when the process has ended, asked to or not. */
  ended: Promise<void>;
  stop(): void;
}

/** The demo camera's stream. */
export const DEMO_STREAM_ID = 'demo-camera';

/**
 * Starts the demo's surroundings in a child process. Nothing of them (embedded Postgres, image library) is loaded in this one.
 * Rejects when the child ends before it is ready: mostly because its optional packages were left out.
 */
export function launchDemoWorld(): Promise<DemoWorld> {
  const built = new URL('./world.js', import.meta.url);
  // Under `node --watch` every process below reports what it loads, over the very channel on which the demo says that it is ready.
  const { WATCH_REPORT_DEPENDENCIES: _reports, ...env } = process.env;
  const child: ChildProcess = fork(existsSync(built) ? built : new URL('./world.ts', import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env,
  });
  return new Promise((resolve, reject) => {
    child.once('exit', () => {
      reject(new StartError('the demo could not start: install with optional packages, or set DATABASE_URL'));
    });
    child.once('message', (ready: WorldIsReady) => {
      child.removeAllListeners('exit');
      resolve({
        ...ready,
        routerIsUp: (message) => void child.send(message),
        ended: new Promise((done) => child.once('exit', () => done())),
        stop: () => child.disconnect(),
      });
    });
  });
}
