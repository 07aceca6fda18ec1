import { createClient } from '@redis/client';
import { request } from 'undici';
import WebSocket from 'ws';
import type { MlPlace } from '../../config.ts';
import { hideSecrets } from '../hidden-url.ts';
import { reasonOf } from '../network-words.ts';
import { DEADLINE_MS, type Finding } from './finding.ts';

/** Tries whether the ML service is there. No frame is sent. `token`: shown to it as the router shows it. */
export async function checkMlService(place: MlPlace, token: string | undefined): Promise<Finding> {
  const what = `The ${place.kind === 'redis' ? 'Redis of the ML service' : 'ML service'} at ${hideSecrets(place.url)}`;
  try {
    return { kind: 'good', text: `${what} ${await TRIALS[place.kind](place.url, token)}.` };
  } catch (error) {
    return {
      kind: 'bad',
      text: `${what} cannot be reached: ${error instanceof Refused ? error.message : reasonOf(error)}.`,
    };
  }
}

/** It is there, and does not want us. */
class Refused extends Error {}

const TRIALS: Readonly<Record<MlPlace['kind'], (url: string, token: string | undefined) => Promise<string>>> = {
  http: async (url, token) => {
    const { statusCode, body } = await request(url, {
      headers: bearer(token),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    await body.dump();
    if (statusCode === 401 || statusCode === 403)
      throw new Refused(`it does not take ML_SERVICE_TOKEN (${statusCode})`);
    return 'answers';
  },
  ws: (url, token) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url, { headers: bearer(token), handshakeTimeout: DEADLINE_MS });
      socket.on('open', () => {
        resolve('takes a WebSocket');
        socket.close();
      });
      socket.on('unexpected-response', (_request, { statusCode }) => {
        reject(new Refused(`it answers ${statusCode} and takes no WebSocket there`));
        socket.terminate();
      });
      socket.on('error', reject);
    }),
  redis: async (url) => {
    const client = createClient({ url, RESP: 2, socket: { connectTimeout: DEADLINE_MS, reconnectStrategy: false } });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.ping();
    } catch (error) {
      if (/^(WRONGPASS|NOAUTH|ERR AUTH)/.test(error instanceof Error ? error.message : '')) {
        throw new Refused('it does not take the user and password of ML_REDIS_URL');
      }
      throw error;
    } finally {
      client.destroy();
    }
    return 'answers';
  },
};

function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
