import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jpegOf, openViewer } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { hasTool } from '../support/tools.ts';
import { ForeignProgram } from './foreign-program.ts';
import { sha256, walkFiles } from './walk-files.ts';

/** Debian's, since that is where Debian's packages are; the first `python3` in PATH may be another one. */
const PYTHON = '/usr/bin/python3';
const hasPython = hasTool('Python 3 with websockets and msgpack', PYTHON, ['-c', 'import msgpack, websockets']);

const CLIENT = fileURLToPath(new URL('python_client.py', import.meta.url));
const ML_SERVICE = fileURLToPath(new URL('python_ml_service.py', import.meta.url));
const FRAMES = walkFiles(6);
/** Long enough for the router to compress it where that was negotiated. */
const LONG_ALERT = `Person at the gate ${'and again '.repeat(200)}`.trim();

type Encoding = 'json' | 'msgpack';

function startPython(
  role: 'encoder' | 'viewer',
  encoding: Encoding,
  router: TestRouter,
  token: string,
  streamId?: string,
): ForeignProgram {
  // The two ways to sign in that a program has, one for each role.
  const credentials = role === 'encoder' ? 'query' : 'header';
  const optional = streamId === undefined ? [] : [streamId];
  return new ForeignProgram(PYTHON, [CLIENT, role, encoding, router.wsUrl, credentials, token, ...optional]);
}

describe.skipIf(!hasPython)('clients in Python', () => {
  let router: TestRouter;

  beforeAll(async () => {
    router = await startTestRouter();
  });
  afterAll(() => router.stop());

  test.each<[Encoding, Encoding]>([
    ['msgpack', 'json'],
    ['json', 'msgpack'],
  ])(
    'a Python camera in %s shows a Python dashboard in %s the very pictures and alerts it sent',
    async (encoderSpeaks, viewerSpeaks) => {
      const { token } = await router.signUp();
      const encoder = startPython('encoder', encoderSpeaks, router, token);
      const { streamId } = await encoder.next('registered');
      const viewer = startPython('viewer', viewerSpeaks, router, token, String(streamId));
      const watching = await viewer.message('success');
      expect(watching).toMatchObject({ message: 'Subscription successful', streamId });
      expect(Object.keys(watching).sort()).toEqual(['message', 'streamId', 'timestamp', 'type']);
      expect(await viewer.message('status')).toMatchObject({ streamId, status: 'online' });

      for (const { path } of FRAMES) encoder.command(`frame ${path}`);
      encoder.command(`alert ${LONG_ALERT}`);
      expect(await viewer.message('status')).toMatchObject({ streamId, status: 'streaming' });
      for (const frame of FRAMES) {
        expect(await viewer.message('video-frame')).toMatchObject({ streamId, sha256: frame.sha256 });
      }
      const seen = await viewer.message('alert');
      expect(seen).toMatchObject({ streamId, severity: 'high', message: LONG_ALERT, metadata: {} });
      expect(await encoder.message('alert')).toEqual(seen);

      const binary = viewerSpeaks === 'msgpack';
      for (const event of viewer.events) if (event.event === 'message') expect(event['binary']).toBe(binary);
      await Promise.all([encoder.end(), viewer.end()]);
      expect(await viewer.next('close')).toMatchObject({ code: 1000 });
    },
  );

  test('compression, which Python offers by itself, garbles nothing: not pictures, not a long alert', async () => {
    const { token } = await router.signUp();
    const encoder = startPython('encoder', 'json', router, token);
    const { streamId } = await encoder.next('registered');
    const viewer = startPython('viewer', 'json', router, token, String(streamId));
    expect((await viewer.next('open'))['extensions']).toEqual(['permessage-deflate']);
    await viewer.message('status');
    // Twice each: a compressor that kept state between messages would go wrong at the second.
    for (const round of [1, 2]) {
      encoder.command(`frame ${FRAMES[round]?.path}`);
      encoder.command(`alert ${round} ${LONG_ALERT}`);
      expect(await viewer.message('video-frame')).toMatchObject({ sha256: FRAMES[round]?.sha256 });
      expect((await viewer.message('alert'))['message']).toBe(`${round} ${LONG_ALERT}`);
    }
    await Promise.all([encoder.end(), viewer.end()]);
  });

  test('a Python program with a wrong token is told so, in words and by the close code', async () => {
    for (const role of ['encoder', 'viewer'] as const) {
      const client = startPython(role, 'json', router, 'wrong', 'stream_any');
      expect(await client.message('error')).toMatchObject({ code: 'AUTH_REQUIRED' });
      expect(await client.next('close')).toMatchObject({ code: 1008, reason: 'Unauthorized' });
      await client.end();
    }
  });
});

describe.skipIf(!hasPython)('the original ML service in Python', () => {
  test('its alert reaches the phone and the dashboard, and it is shown the very pictures the phone sent', async () => {
    const service = new ForeignProgram(PYTHON, [ML_SERVICE]);
    const { port } = await service.next('listening');
    // Every frame, as the original router did: the test waits for each answer anyway.
    const env = { ML_SERVICE_URL: `http://127.0.0.1:${port}`, ML_FPS: '1000' };
    const router = await startTestRouter({ env });
    try {
      const { token } = await router.signUp();
      const encoder = startPython('encoder', 'json', router, token);
      const { streamId } = await encoder.next('registered');
      const dashboards = [
        startPython('viewer', 'json', router, token, String(streamId)),
        startPython('viewer', 'msgpack', router, token, String(streamId)),
      ];
      const witness = await openViewer(router.wsUrl, token, String(streamId), { encoding: 'msgpack' });
      for (const dashboard of dashboards) await dashboard.message('status');
      for (const [index, frame] of FRAMES.entries()) {
        encoder.command(`frame ${frame.path}`);
        const sent = await witness.next('video-frame');
        expect(sha256(jpegOf(sent))).toBe(frame.sha256);
        const suspicious = index % 2 === 1;
        expect(await service.next('analyzed')).toMatchObject({
          sha256: frame.sha256,
          suspicious,
          fields: ['frame', 'streamId', 'timestamp'],
          timestamp: sent['timestamp'],
        });
        if (!suspicious) continue;
        const alert = await encoder.message('alert');
        expect(alert).toMatchObject({
          streamId,
          severity: 'high',
          message: 'Suspicious activity detected',
          metadata: { confidence: 0.95, location: { x: 120, y: 350 }, sha256: frame.sha256 },
        });
        for (const dashboard of dashboards) expect(await dashboard.message('alert')).toEqual(alert);
      }
      // It was asked for batches once, and never again after its 404.
      expect(service.events.filter(({ event }) => event === 'unknown')).toHaveLength(1);
      await witness.close();
      await Promise.all([encoder, ...dashboards].map((client) => client.end()));
    } finally {
      await router.stop();
    }
    await service.end();
  });
});
