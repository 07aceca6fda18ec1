import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { readWalk } from '../../src/demo/walk.ts';
import { sha256 } from '../interop/walk-files.ts';
import { jpegOf, openViewer, type TestMessage } from '../support/client.ts';
import {
  bearer,
  begin,
  beginMany,
  bodyOf,
  CHUNKED,
  isLive,
  isNumbered,
  JPEG,
  MIXED,
  newName,
  part,
  pathOf,
  post,
} from '../support/http-camera.ts';
import { numberedPicture } from '../support/pictures.ts';
import type { RawHttp } from '../support/raw-http.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';

const walk = readWalk();

describe('pictures by HTTP', () => {
  let router: TestRouter;
  let anna: Account;

  beforeAll(async () => {
    router = await startTestRouter({ env: { STREAM_MAX_FPS: '1000' } });
    anna = await router.signUp();
  });
  afterAll(() => router.stop());

  test('one in each request: viewers of both encodings get the very bytes, with the time they were taken', async () => {
    const name = newName();
    const viewers = await Promise.all(
      (['msgpack', 'json'] as const).map((encoding) => openViewer(router.wsUrl, anna.token, name, { encoding })),
    );
    for (const [index, jpeg] of walk.slice(0, 8).entries()) {
      const headers = { ...JPEG, 'x-timestamp': `${1729943200000 + index}.5` };
      const answer = await post(router, anna, pathOf(name), jpeg, headers);
      expect([answer.status, answer.text]).toEqual([204, '']);
      for (const viewer of viewers) {
        const frame = await viewer.next('video-frame');
        expect(sha256(jpegOf(frame))).toBe(sha256(jpeg));
        expect([frame['streamId'], frame['timestamp']]).toEqual([name, 1729943200000.5 + index]);
      }
    }
    const before = Date.now();
    await post(router, anna, pathOf(name), walk[0] as Buffer);
    const { timestamp } = await (viewers[0] as NonNullable<(typeof viewers)[0]>).next('video-frame');
    expect(timestamp).toBeGreaterThanOrEqual(before);
    expect(timestamp).toBeLessThanOrEqual(Date.now());
    for (const viewer of viewers) await viewer.close();
  });

  test('many in one request, each on its way as soon as its last byte is there', async () => {
    const name = newName();
    const viewer = await openViewer(router.wsUrl, anna.token, name, { encoding: 'msgpack' });
    const upload = beginMany(router, anna, name);
    for (const jpeg of walk.slice(0, 5)) {
      const bytes = part(jpeg, `Content-Length: ${jpeg.length}\r\nX-Timestamp: 1729943200123\r\n`);
      // In three pieces, and the boundary only with the next picture.
      const boundaryAt = bytes.length - '\r\n--frame\r\n'.length;
      upload.sendChunk(bytes.subarray(0, 20_000));
      upload.sendChunk(bytes.subarray(20_000, boundaryAt));
      const frame = await viewer.next('video-frame');
      expect(sha256(jpegOf(frame))).toBe(sha256(jpeg));
      expect(frame['timestamp']).toBe(1729943200123);
      upload.sendChunk(bytes.subarray(boundaryAt));
    }
    // Without a length it is there with the boundary after it.
    upload.sendChunk(part(walk[5] as Buffer, ''));
    expect(sha256(jpegOf(await viewer.next('video-frame')))).toBe(sha256(walk[5] as Buffer));
    upload.sendChunk('');
    const { status, text } = await upload.answer();
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({
      streamId: name,
      frames: { received: 6, accepted: 6, rejected: { rate: 0, invalid: 0 } },
    });
    await viewer.close();
  });

  const bodies: [string, Record<string, string>, (pictures: readonly Buffer[]) => Buffer][] = [
    ['parts of a form', { 'content-type': 'multipart/form-data; boundary="a b"' }, formOf],
    ['one after the other', { 'content-type': 'video/x-motion-jpeg' }, (pictures) => Buffer.concat(pictures)],
    [
      'one after the other, of no type that says so',
      { 'content-type': 'application/octet-stream' },
      (pictures) => Buffer.concat(pictures),
    ],
    ['one after the other, of no type at all', {}, (pictures) => Buffer.concat(pictures)],
    ['parts of no type at all', {}, bodyOf],
    ['parts whose boundary nobody named', { 'content-type': 'multipart/x-mixed-replace' }, bodyOf],
    [
      'parts whose boundary was named with its dashes',
      { 'content-type': 'multipart/x-mixed-replace;boundary=--frame' },
      bodyOf,
    ],
  ];

  function formOf(pictures: readonly Buffer[]): Buffer {
    const field = '--a b\r\nContent-Disposition: form-data; name="camera"\r\n\r\nporch\r\n';
    const parts = pictures.flatMap((jpeg) => [
      Buffer.from(
        '--a b\r\nContent-Disposition: form-data; name="f"; filename="x.jpg"\r\nContent-Type: image/jpeg\r\n\r\n',
      ),
      jpeg,
      Buffer.from('\r\n'),
    ]);
    return Buffer.concat([Buffer.from(field), ...parts, Buffer.from('--a b--\r\n')]);
  }

  test.each(bodies)('%s: all of them arrive as they were', async (_name, headers, bodyOf) => {
    const name = newName();
    const viewer = await openViewer(router.wsUrl, anna.token, name, { encoding: 'msgpack' });
    const pictures = walk.slice(10, 16);
    const answer = await post(router, anna, pathOf(name), bodyOf(pictures), headers);
    expect([answer.status, JSON.parse(answer.text)['frames'].accepted]).toEqual([200, 6]);
    for (const jpeg of pictures) expect(sha256(jpegOf(await viewer.next('video-frame')))).toBe(sha256(jpeg));
    await viewer.close();
  });

  test('the stream has the metadata of the query, or none', async () => {
    const name = newName();
    const metadata = encodeURIComponent(JSON.stringify({ room: 'porch', deviceName: 'Eye' }));
    expect((await post(router, anna, pathOf(name, `?metadata=${metadata}`), walk[0] as Buffer)).status).toBe(204);
    const path = `${router.httpUrl}/api/users/${anna.userId}/streams/${name}`;
    const known = (await (await fetch(path, { headers: bearer(anna) })).json()) as TestMessage;
    expect(known).toMatchObject({ status: 'streaming', metadata: { room: 'porch' }, device_name: 'Eye' });
  });

  test('what a client sends wrong is answered with what is wrong, and registers nothing', async () => {
    const name = newName();
    const jpeg = walk[0] as Buffer;
    const wrong: [RawHttp, number, string, string][] = [
      [await post(router, anna, pathOf(name), Buffer.from('no picture at all')), 400, 'INVALID_MESSAGE', 'JPEG'],
      [await post(router, anna, pathOf(name), Buffer.alloc(0)), 400, 'INVALID_MESSAGE', 'JPEG'],
      [await post(router, anna, pathOf(name), Buffer.from([0xff, 0xd8])), 400, 'INVALID_MESSAGE', 'JPEG'],
      [
        await post(router, anna, pathOf(name), jpeg, { 'content-type': 'image/png' }),
        415,
        'INVALID_MESSAGE',
        'image/png',
      ],
      [
        await post(router, anna, pathOf(name), jpeg, { 'content-type': 'application/x-www-form-urlencoded' }),
        415,
        'INVALID_MESSAGE',
        'image/jpeg',
      ],
      [await post(router, anna, pathOf('a%20name'), jpeg), 400, 'INVALID_MESSAGE', 'streamId'],
      [await post(router, anna, pathOf('x'.repeat(129)), jpeg), 400, 'INVALID_MESSAGE', 'streamId'],
      [await post(router, anna, pathOf(name, '?metadata=porch'), jpeg), 400, 'INVALID_MESSAGE', 'metadata'],
      [await post(router, anna, pathOf(name, '?metadata=[1]'), jpeg), 400, 'INVALID_MESSAGE', 'metadata'],
    ];
    for (const [answer, status, code, words] of wrong) {
      expect([answer.status, answer.code]).toEqual([status, code]);
      expect(answer.text).toContain(words);
    }
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const { status } = await begin(router, pathOf(name), { method, headers: bearer(anna) }).answer();
      expect([method, status]).toEqual([method, 405]);
    }
    expect(await isLive(router, name)).toBe(false);
  });

  test('a body of many that is none is refused, and its stream waits for a better one', async () => {
    const body = Buffer.from('--other\r\n\r\nhello\r\n--other--');
    for (const [headers, text] of [
      [MIXED, 'no boundary'],
      [{ 'content-type': 'video/x-motion-jpeg' }, 'no picture'],
      [{}, 'no picture'],
    ] as const) {
      const answer = await post(
        router,
        anna,
        pathOf(newName()),
        headers === MIXED ? body : Buffer.from('hello'),
        headers,
      );
      expect([answer.status, answer.code]).toEqual([400, 'INVALID_MESSAGE']);
      expect(answer.text).toContain(text);
    }
  });

  test('single pictures of a long body that are none are counted, the others arrive; too many of them end it', async () => {
    const name = newName();
    const viewer = await openViewer(router.wsUrl, anna.token, name, { encoding: 'msgpack' });
    const bad = Buffer.from('this is no picture');
    const body = bodyOf([bad, numberedPicture(1, 500), bad, numberedPicture(2, 500)]);
    const { status, text } = await post(router, anna, pathOf(name), body, MIXED);
    expect([status, JSON.parse(text)['frames']]).toEqual([
      200,
      { received: 4, accepted: 2, rejected: { rate: 0, invalid: 2 } },
    ]);
    await viewer.next(isNumbered(1));
    await viewer.next(isNumbered(2));
    const many = Array.from({ length: 30 }, () => bad);
    const answer = await post(router, anna, pathOf(name), bodyOf(many), MIXED);
    expect([answer.status, answer.code]).toEqual([400, 'INVALID_MESSAGE']);
    await viewer.close();
  });

  test('nobody without a session comes in, and nobody to another’s stream; neither way, and nothing of it is kept', async () => {
    const [name, unknown] = [newName(), newName()];
    const jpeg = walk[0] as Buffer;
    expect((await post(router, anna, pathOf(name), jpeg)).status).toBe(204);
    const bob = await router.signUp();
    for (const headers of [JPEG, MIXED]) {
      const foreign = await post(router, bob, pathOf(name), bodyOf([jpeg]), headers);
      expect([foreign.status, foreign.code]).toEqual([403, 'UNAUTHORIZED']);
      const nobody = await begin(router, pathOf(unknown), { headers, body: jpeg }).answer();
      expect([nobody.status, nobody.code]).toEqual([401, 'AUTH_REQUIRED']);
    }
    // Larger than what is held of a body while its sender is looked up.
    const wrong = { ...JPEG, authorization: 'Bearer nobodys' };
    const body = Buffer.alloc(8_000_000, 0xff);
    const large = await begin(router, pathOf(unknown), { headers: wrong, body }).answer();
    expect([large.status, large.code]).toEqual([401, 'AUTH_REQUIRED']);
    expect(await isLive(router, unknown)).toBe(false);
  });

  test('an endless body is refused at once, and its connection closed', async () => {
    const http = begin(router, pathOf(newName()), {
      headers: { ...MIXED, ...CHUNKED, authorization: 'Bearer nobodys' },
    });
    const { status, headers } = await http.answer();
    expect([status, headers.get('connection')]).toEqual([401, 'close']);
    await http.closed();
  });
});
