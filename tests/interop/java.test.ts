import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jpegOf, openViewer } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { hasTool } from '../support/tools.ts';
import { ForeignProgram } from './foreign-program.ts';
import { sha256, walkFiles } from './walk-files.ts';

// A single file is compiled when it is started: that takes a compiler, so it asks for a JDK, not for any Java.
const hasJava = hasTool('A JDK (17 or newer)', 'javac', ['--version']) && hasTool('Java', 'java', ['--version']);

const CLIENT = fileURLToPath(new URL('JavaClient.java', import.meta.url));
const FRAMES = walkFiles(6);

describe.skipIf(!hasJava)('clients in Java', () => {
  let router: TestRouter;

  function startJava(
    role: 'encoder' | 'viewer',
    frames: 'json' | 'msgpack',
    token: string,
    streamId?: string,
  ): ForeignProgram {
    // Small and quick to start: these programs live for a second.
    const options = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
    const credentials = role === 'encoder' ? 'query' : 'header';
    const optional = streamId === undefined ? [] : [streamId];
    return new ForeignProgram('java', [
      ...options,
      CLIENT,
      role,
      frames,
      router.wsUrl,
      credentials,
      token,
      ...optional,
    ]);
  }

  beforeAll(async () => {
    router = await startTestRouter();
  });
  afterAll(() => router.stop());

  test.each(['json', 'msgpack'] as const)(
    'a Java camera that sends its frames in %s shows them unchanged in Java and on a MessagePack dashboard',
    async (frames) => {
      const { token } = await router.signUp();
      const encoder = startJava('encoder', frames, token);
      const { streamId } = await encoder.next('registered');
      const viewer = startJava('viewer', 'json', token, String(streamId));
      const binaryViewer = await openViewer(router.wsUrl, token, String(streamId), { encoding: 'msgpack' });
      expect(await viewer.message('success')).toMatchObject({ message: 'Subscription successful', streamId });
      expect(await viewer.message('status')).toMatchObject({ streamId, status: 'online' });

      for (const { path } of FRAMES) encoder.command(`frame ${path}`);
      encoder.command('alert Jemand ist am Tor — 門');
      expect(await viewer.message('status')).toMatchObject({ streamId, status: 'streaming' });
      for (const frame of FRAMES) {
        expect(await viewer.message('video-frame')).toMatchObject({ streamId, sha256: frame.sha256 });
        const received = await binaryViewer.next('video-frame');
        expect(received['$binary']).toBe(true);
        expect(sha256(jpegOf(received))).toBe(frame.sha256);
      }
      const seen = await viewer.message('alert');
      expect(seen).toMatchObject({ streamId, severity: 'high', message: 'Jemand ist am Tor — 門', metadata: {} });
      // Its first message was text, so it is answered in text, whatever its frames are.
      expect(await encoder.message('alert')).toEqual(seen);

      // Java hands a long message over in parts; a client that took the first for the whole would show half a picture.
      const parts = viewer.events.map((event) => Number(event['parts'] ?? 0));
      expect(Math.max(...parts)).toBeGreaterThan(1);
      await binaryViewer.close();
      await Promise.all([encoder.end(), viewer.end()]);
      expect(await viewer.next('close')).toMatchObject({ code: 1000 });
    },
  );

  test('a Java program with a wrong token is told so, in words and by the close code', async () => {
    const clients = [startJava('encoder', 'json', 'wrong'), startJava('viewer', 'json', 'wrong', 'stream_any')];
    for (const client of clients) {
      expect(await client.message('error')).toMatchObject({ code: 'AUTH_REQUIRED' });
      expect(await client.next('close')).toMatchObject({ code: 1008, reason: 'Unauthorized' });
      await client.end();
    }
  });
});
