import * as z from 'zod';
import { ErrorCode, ProtocolError } from '../../../proto/errors.ts';
import type { StreamAccess } from '../../router/access.ts';
import { Peer } from '../../router/peer.ts';
import type { Clock, Log } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import { Viewer } from '../../router/viewer.ts';
import type { Wish } from '../../router/viewing.ts';
import type { Doorkeeper, Session } from '../http/doorkeeper.ts';
import type { Exchange } from '../http/exchange.ts';
import { readQuery } from '../http/query.ts';
import { invalid } from '../http/refusals.ts';
import type { Headers } from '../http/reply.ts';
import type { Routes } from '../http/routes.ts';
import type { LastingRequests } from './lasting-requests.ts';
import { FILLER, FIRST_BOUNDARY, MJPEG_TYPE, MjpegResponse } from './mjpeg-response.ts';
import { findWatchable } from './snapshot.ts';

export interface LiveMjpegParts {
  router: Router;
  doorkeeper: Doorkeeper;
  access: StreamAccess;
  lasting: LastingRequests;
  clock: Clock;
  log: Log;
}

const HEADERS: Headers = {
  'content-type': MJPEG_TYPE,
  // nginx would gather some pictures before it hands on the first.
  'x-accel-buffering': 'no',
};

const LEAST_FPS = 0.1;
const MOST_FPS = 60;
const FPS_PROBLEM = `must be a number from ${LEAST_FPS} to ${MOST_FPS}`;

const querySchema = z.object({
  fps: z
    .string()
    .regex(/^\d{1,3}(\.\d{1,9})?$/, FPS_PROBLEM)
    .transform(Number)
    .pipe(z.number(FPS_PROBLEM).min(LEAST_FPS, FPS_PROBLEM).max(MOST_FPS, FPS_PROBLEM))
    .optional(),
});

/** `GET /streams/{id}/live.mjpeg`: the stream as a series of pictures, for an `<img>` and whatever else plays MJPEG. */
export function serveLiveMjpeg(routes: Routes, parts: LiveMjpegParts): void {
  routes.add('/streams/:stream/live.mjpeg', {
    GET: parts.doorkeeper.withSession((exchange, session) => sendLive(exchange, session, parts)),
  });
}

function sendLive(exchange: Exchange, session: Session, parts: LiveMjpegParts): void {
  const { router, lasting, clock, log } = parts;
  const stream = findWatchable(exchange, session, parts);
  if (stream === undefined) return;
  const result = readQuery(exchange.request.query, querySchema);
  if (result.kind === 'problem') {
    invalid(exchange, result.problem);
    return;
  }
  if (exchange.isHead) {
    exchange.head(HEADERS);
    return;
  }
  const room = lasting.enter(exchange, session.principal);
  if (room === undefined) return;
  const style = isForImage(exchange) ? 'early' : 'labelled';
  const live = new MjpegResponse({ router, clock, log, streamId: stream.id, style, onOver: () => room.leave() });
  const viewer = new Viewer(new Peer(session.principal, live, 'msgpack'));
  const wish: Wish = {
    wantsFrames: true,
    wantsAlerts: false,
    maxFps: result.query.fps,
    window: 1,
    endsWithStream: true,
  };
  try {
    router.viewers.watch(viewer, stream.id, wish);
  } catch (error) {
    room.leave();
    if (!(error instanceof ProtocolError) || error.code !== ErrorCode.tooManyConnections) throw error;
    exchange.error(503, error.code, error.message, { 'retry-after': '5' });
    return;
  }
  // In this turn nothing is written of what it has been sent already.
  const onDrained = () => live.drained();
  const response = exchange.open(HEADERS, FIRST_BOUNDARY, { clock, filler: FILLER, onDrained });
  live.begin(viewer, response);
  if (response !== undefined) room.keep(live);
  exchange.onGone(() => live.gone());
}

/** A browser asks for an `<img>`: each of them says so, in these words among others. */
function isForImage(exchange: Exchange): boolean {
  return exchange.header('accept').includes('image/*');
}
