import pg from 'pg';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { sha256 } from '../interop/walk-files.ts';
import { openEncoder, openViewer } from '../support/client.ts';
import {
  bearer,
  begin,
  beginMany,
  bodyOf,
  isLive,
  isNumbered,
  JPEG,
  MIXED,
  newName,
  part,
  pathOf,
  post,
  startRouter,
} from '../support/http-camera.ts';
import { numberedPicture } from '../support/pictures.ts';
import type { RawHttp } from '../support/raw-http.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';

const walk = readWalk();

describe('an encoder on HTTP and others of its stream', () => {
  test('it takes its stream over from a WebSocket, which is closed with 4409; viewers notice nothing', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    for (const headers of [JPEG, MIXED]) {
      const { encoder, streamId } = await openEncoder(router.wsUrl, anna.token);
      const viewer = await openViewer(router.wsUrl, anna.token, streamId, { encoding: 'msgpack' });
      const picture = numberedPicture(5, 500);
      const body = headers === JPEG ? picture : bodyOf([picture]);
      expect((await post(router, anna, pathOf(streamId), body, headers)).status).toBeLessThan(300);
      expect((await encoder.closed).code).toBe(4409);
      await viewer.next(isNumbered(5));
      expect(viewer.messages.filter(({ status }) => status === 'offline')).toEqual([]);
      await viewer.close();
    }
  });

  test('a WebSocket takes over from a long request, which is answered 409, and from who posts, who is told so as long as it lasts', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    const name = newName();
    const upload = beginMany(router, anna, name, [numberedPicture(1, 500)]);
    await until('it is live', async () => isLive(router, name));
    const first = (await openEncoder(router.wsUrl, anna.token, { register: { streamId: name } })).encoder;
    await upload.answer();
    expect([upload.status, upload.code, upload.headers.get('connection')]).toEqual([409, 'TAKEN_OVER', 'close']);

    expect((await post(router, anna, pathOf(name), numberedPicture(2, 500))).status).toBe(204);
    expect((await first.closed).code).toBe(4409);
    const second = (await openEncoder(router.wsUrl, anna.token, { register: { streamId: name } })).encoder;
    for (const _again of [1, 2, 3]) {
      const refused = await post(router, anna, pathOf(name), numberedPicture(3, 500));
      expect([refused.status, refused.code]).toEqual([409, 'TAKEN_OVER']);
    }
    second.send({ type: 'heartbeat' });
    await second.next('heartbeat');
    await second.close();
    await until(
      'it may post again',
      async () => (await post(router, anna, pathOf(name), numberedPicture(4, 500))).status === 204,
    );
  });

  test('a newer long request takes over from an older one', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    const name = newName();
    const viewer = await openViewer(router.wsUrl, anna.token, name, { encoding: 'msgpack' });
    const uploads = [];
    for (const number of [1, 2]) {
      const upload = beginMany(router, anna, name, [numberedPicture(number, 500)]);
      await viewer.next(isNumbered(number));
      uploads.push(upload);
    }
    const [older, newer] = uploads as [RawHttp, RawHttp];
    expect((await older.answer()).status).toBe(409);
    newer.sendChunk(part(numberedPicture(3, 500)));
    await viewer.next(isNumbered(3));
    expect(viewer.messages.filter(({ status }) => status === 'offline')).toHaveLength(1);
    await viewer.close();
  });

  test('a deleted stream ends a long request with 410, and is not brought back by who just goes on posting', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    const [long, short] = [newName(), newName()];
    const upload = beginMany(router, anna, long, [walk[0] as Buffer]);
    await until('it is live', async () => isLive(router, long));
    expect((await post(router, anna, pathOf(short), walk[0] as Buffer)).status).toBe(204);
    const path = `${router.httpUrl}/api/users/${anna.userId}`;
    await fetch(path, { method: 'DELETE', headers: bearer(anna) });
    await upload.answer();
    const late = await post(router, anna, pathOf(short), walk[0] as Buffer);
    for (const answer of [upload, late]) expect([answer.status, answer.code]).toEqual([410, 'STREAM_DELETED']);
    expect((await router.stats())['activeStreams']).toEqual([]);
  });

  test('a stream outlives the pauses between posts; of a long request that breaks off it waits for the next', async () => {
    const router = await startRouter({ STREAM_GRACE_MS: '1000' });
    const anna = await router.signUp();
    const [posted, broken] = [newName(), newName()];
    const viewer = await openViewer(router.wsUrl, anna.token, posted);
    const postedAt = performance.now();
    expect((await post(router, anna, pathOf(posted), walk[0] as Buffer)).status).toBe(204);
    const upload = beginMany(router, anna, broken, [walk[0] as Buffer]);
    await until('it is live', async () => isLive(router, broken));
    upload.destroy();
    await until('its grace is over', async () => !(await isLive(router, broken)));
    expect(await router.stats()).toMatchObject({ totalProducers: 1, totalConnections: 1, activeStreams: [posted] });
    await viewer.next(({ status }) => status === 'streaming');
    await viewer.next(({ status }) => status === 'offline', 30_000);
    const seconds = (performance.now() - postedAt) / 1000;
    expect(seconds).toBeGreaterThan(10.5);
    expect(seconds).toBeLessThan(16);
    // A pause is no end for ever.
    expect((await post(router, anna, pathOf(posted), walk[0] as Buffer)).status).toBe(204);
    await viewer.next(({ status }) => status === 'streaming');
  });

  test('its session ends it: a long request is answered 401, and who posts is not let in any more', async () => {
    const router = await startRouter({ SESSION_RECHECK_MS: '300' });
    const anna = await router.signUp();
    const [long, short] = [newName(), newName()];
    const upload = beginMany(router, anna, long, [walk[0] as Buffer]);
    expect((await post(router, anna, pathOf(short), walk[0] as Buffer)).status).toBe(204);
    await until('both are there', async () => (await router.stats())['totalProducers'] === 2);
    const admin = new pg.Pool({ connectionString: inject('databases').url, max: 1 });
    onTestFinished(() => admin.end());
    await admin.query('DELETE FROM session WHERE token = $1', [anna.token]);
    await upload.answer();
    expect([upload.status, upload.code]).toEqual([401, 'AUTH_REQUIRED']);
    await until('both are gone', async () => (await router.stats())['totalProducers'] === 0);
    expect((await post(router, anna, pathOf(short), walk[0] as Buffer)).status).toBe(401);
  });

  test('a slow line is no reason to be cut off, neither with one picture nor with many', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    const [long, short] = [newName(), newName()];
    const jpeg = walk[0] as Buffer;
    const picture = begin(router, pathOf(short), {
      headers: { ...bearer(anna), ...JPEG, 'content-length': `${jpeg.length}` },
    });
    const upload = beginMany(router, anna, long);
    // Longer than the socket library bears with a body of less than 16 KB a second.
    const pieces = 60;
    const bytes = Math.ceil(jpeg.length / pieces);
    let piece = 0;
    const stop = steadily(3.3, () => {
      picture.socket.write(jpeg.subarray(piece * bytes, (piece + 1) * bytes));
      if (piece % 10 === 0) upload.sendChunk(part(numberedPicture(piece, 100)));
      piece += 1;
    });
    onTestFinished(stop);
    await until('all pieces are sent', () => piece >= pieces, 40_000);
    stop();
    expect((await picture.answer()).status).toBe(204);
    upload.sendChunk('');
    expect(JSON.parse((await upload.answer()).text)['frames'].accepted).toBe(6);
    const snapshot = await fetch(`${router.httpUrl}/streams/${short}/snapshot.jpg`, { headers: bearer(anna) });
    expect(sha256(new Uint8Array(await snapshot.arrayBuffer()))).toBe(sha256(jpeg));
  });

  test('the router shuts down: who sends many is answered 503', async () => {
    const router = await startRouter();
    const anna = await router.signUp();
    const upload = beginMany(router, anna, newName(), [walk[0] as Buffer]);
    await until('it is there', async () => (await router.stats())['totalConnections'] === 1);
    const drained = router.app.drain();
    await upload.answer();
    expect([upload.status, upload.code]).toEqual([503, 'UNAVAILABLE']);
    await drained;
  });
});
