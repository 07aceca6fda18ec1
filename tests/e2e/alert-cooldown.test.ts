import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEncoder } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';

let router: TestRouter;

beforeAll(async () => {
  router = await startTestRouter({ env: { ALERT_COOLDOWN_MS: '60000' } });
});
afterAll(() => router.stop());

test('with ALERT_COOLDOWN_MS the same alert comes once, another one at once, and /stats says how many were held back', async () => {
  const { token } = await router.signUp();
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, {
    encoding: 'json',
    register: { produces: ['video-frame', 'alert'] },
  });
  for (const message of ['Dog', 'Dog', 'Dog', 'Cat']) {
    encoder.send({ type: 'alert', streamId, severity: 'low', message });
  }
  expect((await encoder.next('alert'))['message']).toBe('Dog');
  expect((await encoder.next('alert'))['message']).toBe('Cat');
  expect((await router.stats())['alerts']).toMatchObject({ accepted: 2, suppressed: 2 });
  await encoder.close();
});
