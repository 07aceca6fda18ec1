import { onTestFinished } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { frameOf, openEncoder, type TestClient, type TestEncoding } from './client.ts';
import { MjpegPlayer } from './mjpeg.ts';
import { numberedPicture, pictureNumber } from './pictures.ts';
import { RawHttp } from './raw-http.ts';
import { startTestRouter, type TestRouter } from './router.ts';

/** As Chromium asks for an `<img>`. */
export const BROWSER = { accept: 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8' };

/** A router that takes pictures as fast as they come, and ends with the test. */
export async function startRouter(env: Record<string, string> = {}): Promise<TestRouter> {
  const router = await startTestRouter({ env: { STREAM_MAX_FPS: '1000', ...env } });
  onTestFinished(() => router.stop());
  return router;
}

/** An encoder on a WebSocket, with its stream. */
export async function openCamera(
  router: TestRouter,
  { token }: Account,
  encoding: TestEncoding = 'msgpack',
  register = {},
) {
  const { encoder, streamId } = await openEncoder(router.wsUrl, token, { encoding, register });
  onTestFinished(() => encoder.socket.terminate());
  return { encoder, streamId };
}

/** A player that has its answer. */
export async function play(
  router: TestRouter,
  user: Account,
  streamId: string,
  { query = '', headers = {} }: { query?: string; headers?: Record<string, string> } = {},
): Promise<MjpegPlayer> {
  const player = await MjpegPlayer.open(router.port, pathOf(streamId, query), { ...bearer(user), ...headers });
  onTestFinished(() => player.close());
  return player;
}

export function pathOf(streamId: string, query = ''): string {
  return `/streams/${streamId}/live.mjpeg${query}`;
}

export function bearer({ token }: Account): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

/** One request with its whole answer. */
export function ask(
  router: TestRouter,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<RawHttp> {
  const http = new RawHttp(router.port, path, { headers, method });
  onTestFinished(() => http.destroy());
  return http.answer();
}

/** A picture with this number. */
export function send(encoder: TestClient, streamId: string, number: number, bytes = 2_000): void {
  encoder.send(frameOf(encoder, streamId, numberedPicture(number, bytes)));
}

export const is = (number: number) => (jpeg: Buffer) => pictureNumber(jpeg) === number;

/** The encoder's next answer tells that all that it sent was handled. */
export async function handled(encoder: TestClient): Promise<void> {
  encoder.send({ type: 'heartbeat' });
  await encoder.next('heartbeat');
}
