import { connect } from 'node:net';
import { describe, test } from 'vitest';
import { TestClient } from '../support/client.ts';
import { startTestRouter } from '../support/router.ts';
import { until } from '../support/until.ts';

const ATTEMPTS = 5;

// In a file of its own: where it goes wrong, it takes its process with it.
describe.each(['true', 'false'])('with AUTH_REJECT_AT_UPGRADE=%s', (rejects) => {
  test('an upgrade request that also wants its connection closed leaves nothing behind, and harms nobody', async () => {
    const router = await startTestRouter({ env: { AUTH_REJECT_AT_UPGRADE: rejects, SESSION_CACHE_MS: '0' } });
    const { token } = await router.signUp();
    const bystander = await TestClient.open(`${router.wsUrl}/streams/subscribe?token=${token}`);
    await isIn(bystander);

    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) await closingUpgrade(router.port, token);
    await isIn(bystander);
    // Connections that are counted, and are none, are also written to when the router drains.
    await until('only the bystander is counted', async () => (await router.stats())['totalConnections'] === 1, 5_000);

    await bystander.close();
    await router.stop();
  });
});

/** A handshake that no good client sends. Resolves when the connection has ended, with whatever it was answered. */
function closingUpgrade(port: number, token: string): Promise<string> {
  return new Promise((resolve) => {
    const lines = [
      `GET /streams/subscribe?token=${token} HTTP/1.1`,
      'Host: router.example',
      'Upgrade: websocket',
      'Connection: close',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version: 13',
    ];
    const socket = connect(port, '127.0.0.1', () => socket.write(`${lines.join('\r\n')}\r\n\r\n`));
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      // Whether it was let in or refused, its answer is here.
      socket.end();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
}

async function isIn(client: TestClient): Promise<void> {
  client.send({ type: 'heartbeat' });
  await client.next('heartbeat');
}
