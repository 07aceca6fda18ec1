import { onTestFinished } from 'vitest';
import type { Account } from '../../src/demo/accounts.ts';
import { jpegOf, type TestMessage } from './client.ts';
import { pictureNumber } from './pictures.ts';
import { RawHttp, type RawRequest } from './raw-http.ts';
import { startTestRouter, type TestRouter } from './router.ts';

/** What cameras do that speak only HTTP. */

export const JPEG = { 'content-type': 'image/jpeg' };
export const MIXED = { 'content-type': 'multipart/x-mixed-replace; boundary=frame' };
export const CHUNKED = { 'transfer-encoding': 'chunked' };
const FIRST_BOUNDARY = '--frame\r\n';
let lastName = 0;

/** A stream that nobody has used. */
export function newName(): string {
  lastName += 1;
  return `porch-${lastName}`;
}

export function bearer({ token }: Account): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

export function pathOf(streamId: string, query = ''): string {
  return `/streams/${streamId}/frames${query}`;
}

/** A router that takes pictures as fast as they come, and ends with the test. */
export async function startRouter(env: Record<string, string> = {}, databaseUrl?: string): Promise<TestRouter> {
  const url = databaseUrl === undefined ? {} : { databaseUrl };
  const router = await startTestRouter({ env: { STREAM_MAX_FPS: '1000', ...env }, ...url });
  onTestFinished(() => router.stop());
  return router;
}

/** Sends a request that may go on. */
export function begin(router: TestRouter, path: string, request: RawRequest): RawHttp {
  const http = new RawHttp(router.port, path, { method: 'POST', ...request });
  onTestFinished(() => http.destroy());
  return http;
}

/** A request that goes on with picture after picture, these first; each further one is a chunk with a `part`. */
export function beginMany(
  router: TestRouter,
  user: Account,
  streamId: string,
  pictures: readonly Buffer[] = [],
): RawHttp {
  const http = begin(router, pathOf(streamId), { headers: { ...bearer(user), ...MIXED, ...CHUNKED } });
  http.sendChunk(bodyOf(pictures));
  return http;
}

/** One request with all of its body, and the whole answer. */
export function post(
  router: TestRouter,
  user: Account,
  path: string,
  body: Buffer,
  headers: Record<string, string> = JPEG,
): Promise<RawHttp> {
  return begin(router, path, { headers: { ...bearer(user), ...headers }, body }).answer();
}

/** Pictures as `MIXED` has them; the last boundary belongs to one that is still to come. */
export function bodyOf(pictures: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(FIRST_BOUNDARY), ...pictures.map((jpeg) => part(jpeg))]);
}

/** A picture among many: its length said or not, and the boundary after it. */
export function part(jpeg: Buffer, headers = `Content-Length: ${jpeg.length}\r\n`): Buffer {
  const head = Buffer.from(`Content-Type: image/jpeg\r\n${headers}\r\n`);
  return Buffer.concat([head, jpeg, Buffer.from(`\r\n${FIRST_BOUNDARY}`)]);
}

export async function isLive(router: TestRouter, streamId: string): Promise<boolean> {
  return (await router.stats())['activeStreams'].includes(streamId);
}

export const isNumbered = (number: number) => (message: TestMessage) =>
  message['type'] === 'video-frame' && pictureNumber(jpegOf(message)) === number;
