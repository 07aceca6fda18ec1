import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import type { TestMessage } from '../support/client.ts';
import { freePort } from '../support/free-port.ts';
import { hasRedisServer, makePrivateRedis } from '../support/private-redis.ts';
import { productionProcess } from '../support/process.ts';
import { hasTool } from '../support/tools.ts';
import { until } from '../support/until.ts';

const hasOpenssl = hasTool('openssl', 'openssl', ['version']);

/** A certificate that signs itself, for 127.0.0.1. */
interface Certificate {
  folder: string;
  keyFile: string;
  certFile: string;
}

function makeCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'watchout-tls-'));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', [...words, ...subject, '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' });
  return { folder, keyFile, certFile };
}

async function startHttps(certificate: Certificate) {
  const server = createServer({ key: readFileSync(certificate.keyFile), cert: readFileSync(certificate.certFile) });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close().closeAllConnections());
  return { server, port: (server.address() as AddressInfo).port };
}

async function overWebSocket(certificate: Certificate): Promise<Record<string, string>> {
  const { server, port } = await startHttps(certificate);
  const sockets = new WebSocketServer({ server });
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate();
  });
  return { ML_SERVICE_WS_URL: `wss://127.0.0.1:${port}` };
}

async function overRedis({ keyFile, certFile }: Certificate): Promise<Record<string, string>> {
  const port = await freePort();
  const files = ['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', certFile];
  const redis = await makePrivateRedis('--tls-port', String(port), ...files, '--tls-auth-clients', 'no');
  await redis.start();
  onTestFinished(() => redis.remove());
  return { ML_REDIS_URL: `rediss://127.0.0.1:${port}` };
}

const ways = [{ name: 'wss', open: overWebSocket }, ...(hasRedisServer() ? [{ name: 'rediss', open: overRedis }] : [])];

describe.skipIf(!hasOpenssl)('an ML service behind TLS', () => {
  let certificate: Certificate;

  beforeAll(() => {
    certificate = makeCertificate();
  });
  afterAll(() => rmSync(certificate.folder, { recursive: true, force: true }));

  test.each(ways)(
    '$name: is spoken to when its certificate is trusted, and not when it is not, and both can be seen',
    async ({ open }) => {
      const env = await open(certificate);
      const ask = async (port: number, path: string) =>
        (await (await fetch(`http://127.0.0.1:${port}${path}`)).json()) as TestMessage;

      const trusting = await productionProcess({ ...env, NODE_EXTRA_CA_CERTS: certificate.certFile });
      await until('it is connected', async () => (await ask(trusting.port, '/stats'))['ml'].connected === true);
      expect((await ask(trusting.port, '/health/ready'))['degraded']).toEqual([]);

      const wary = await productionProcess(env);
      await until('it says why it is not', () => wary.output().toLowerCase().includes('self-signed certificate'));
      expect((await ask(wary.port, '/stats'))['ml'].connected).toBe(false);
      expect(await ask(wary.port, '/health/ready')).toEqual({ status: 'ready', degraded: ['ml'] });
    },
  );
});
