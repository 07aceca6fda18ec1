import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { reasonOf } from '../network-words.ts';
import { DEADLINE_MS, type Finding } from './finding.ts';

/** Tries whether the webhook's host is there. Nothing is posted: to the service it would be an alert. */
export async function checkWebhook(address: string): Promise<Finding> {
  const url = new URL(address);
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(url.port === '' ? (isTls ? 443 : 80) : url.port);
  let socket: Socket | undefined;
  try {
    socket = isTls ? connectTls({ host, port, servername: host }) : connectPlain({ host, port });
    await once(socket, isTls ? 'secureConnect' : 'connect', { signal: AbortSignal.timeout(DEADLINE_MS) });
    return { kind: 'good', text: `The alert webhook's host ${url.host} is there. (Nothing was posted.)` };
  } catch (error) {
    return { kind: 'bad', text: `The alert webhook's host ${url.host} cannot be reached: ${reasonOf(error)}.` };
  } finally {
    socket?.destroy();
  }
}
