import type { Socket } from 'node:net';
import { buildConnector, Pool } from 'undici';
import { isMap } from '../../proto/metadata.ts';
import type { Clock } from '../router/ports.ts';
import { alertsInMessage, MAX_ALERTS_PER_MESSAGE } from './alert-message.ts';
import { BatchEncoders } from './batch-encoders.ts';
import { type IsWanted, justBeforeSending, NotWanted } from './just-before-sending.ts';
import type { MayGo, MlTransport, SampledFrame } from './transport.ts';

type MlProtocol = 'auto' | 'batch' | 'single';

export interface HttpTransportParts {
  /** Base URL of the service; its path is kept: `http://ml:8000/v1` is asked at `/v1/analyze/batch`. */
  url: string;
  /** Shown to the service as `Authorization: Bearer`, if there is one. */
  token: string | undefined;
  /** `auto`: batches, until the service says that it does not know them. */
  protocol: MlProtocol;
  batchSize: number;
  maxInFlight: number;
  timeoutMs: number;
  clock: Clock;
}

/** Answers that mean "I do not know batches": no such path, not by POST, not this content type. */
const NOT_A_BATCH_SERVICE = new Set([404, 405, 415]);
/** A service that takes frames one by one may be replaced by one that knows batches: it is asked again after this time, ms. */
const ASK_AGAIN_MS = 60_000;
/** Alerts are small; a larger answer is a broken service. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/**
 * The ML service over HTTP, through one pool of kept-alive connections.
 *
 * Batches: `POST /analyze/batch`, MessagePack `{frames:[{streamId,timestamp,seq,data}]}`, answered by `{alerts:[…]}` in JSON
 * or MessagePack. The original contract: `POST /analyze`, JSON `{streamId,frame,timestamp}` with base64, one frame each,
 * answered by `{alert}` or `{status:"ok"}`. A batch spares the base64 and fifteen requests of sixteen.
 */
export function createHttpTransport(parts: HttpTransportParts): MlTransport {
  const base = new URL(parts.url);
  const pathPrefix = base.pathname.replace(/\/$/, '');
  const sockets = new OpenSockets(parts.timeoutMs);
  const pool = new Pool(base.origin, {
    connections: parts.maxInFlight,
    headersTimeout: parts.timeoutMs,
    bodyTimeout: parts.timeoutMs,
    connect: sockets.connect,
    maxResponseSize: MAX_ANSWER_BYTES,
  }).compose(justBeforeSending);
  const authorization = parts.token === undefined ? {} : { authorization: `Bearer ${parts.token}` };
  const encoders = new BatchEncoders(parts.maxInFlight);
  /** What the service is found to speak. Unknown until it has answered. */
  let spoken: 'batch' | 'single' | undefined = parts.protocol === 'auto' ? undefined : parts.protocol;
  let askAgainAtMs = Number.POSITIVE_INFINITY;

  /** A kept-alive connection may be closed by the service in the very moment it is used again: that is tried once more. */
  async function post(path: string, contentType: string, body: string | Uint8Array, isWanted: IsWanted) {
    try {
      return await postOnce(path, contentType, body, isWanted);
    } catch (error) {
      const isRace = spoken !== undefined && isConnectionCut(error);
      if (!isRace) throw error;
      return postOnce(path, contentType, body, isWanted);
    }
  }

  async function postOnce(
    path: string,
    contentType: string,
    body: string | Uint8Array,
    isWanted: IsWanted,
  ): Promise<Answer> {
    const response = await pool.request({
      method: 'POST',
      path: `${pathPrefix}${path}`,
      headers: { 'content-type': contentType, accept: 'application/json, application/msgpack', ...authorization },
      body,
      // The two timeouts above each start anew with every byte; this is the deadline of the whole.
      signal: AbortSignal.timeout(parts.timeoutMs),
      opaque: isWanted,
    });
    if (response.statusCode < 200 || response.statusCode > 299) {
      await response.body.dump();
      return { status: response.statusCode, body: new Uint8Array(0) };
    }
    return { status: response.statusCode, body: await response.body.bytes() };
  }

  async function analyzeOne(frame: SampledFrame, mayGo: MayGo): Promise<unknown[]> {
    const request = {
      streamId: frame.streamId,
      frame: Buffer.from(frame.data.buffer, frame.data.byteOffset, frame.data.length).toString('base64'),
      timestamp: frame.timestamp,
    };
    const answer = await post('/analyze', 'application/json', JSON.stringify(request), () => mayGo(frame));
    // The service was asked about one stream; it need not repeat which.
    const isNamed = (alert: Record<string, unknown>) =>
      (alert['streamId'] ?? alert['stream_id'] ?? undefined) !== undefined;
    return alertsIn(answer, '/analyze').map((alert) =>
      isMap(alert) && !isNamed(alert) ? { ...alert, streamId: frame.streamId } : alert,
    );
  }

  /** Where some of the frames grow too old before there is a connection, the others go without them. */
  async function analyzeBatch(frames: readonly SampledFrame[], mayGo: MayGo): Promise<unknown[]> {
    let fresh = frames;
    const body = encoders.encode(frames);
    const isWanted = () => {
      fresh = frames.filter(mayGo);
      return fresh.length === frames.length;
    };
    let answer: Answer;
    try {
      answer = await post('/analyze/batch', 'application/msgpack', body.bytes, isWanted);
    } catch (error) {
      if (!(error instanceof NotWanted) || fresh.length === 0) throw error;
      return analyzeBatch(fresh, mayGo);
    }
    // Answered well, so it was read, unless the service answers before it reads: only with nothing left to be written may this memory be written again.
    if (answer.status >= 200 && answer.status <= 299 && sockets.areDrained) body.release();
    if (parts.protocol === 'auto' && NOT_A_BATCH_SERVICE.has(answer.status)) throw new NotABatchService();
    return alertsIn(answer, '/analyze/batch');
  }

  /** A batch, and what its answer tells about the service: also one that knew batches may be replaced by one that does not. */
  async function analyzeAuto(frames: readonly SampledFrame[], mayGo: MayGo): Promise<unknown[]> {
    try {
      const alerts = await analyzeBatch(frames, mayGo);
      spoken = 'batch';
      return alerts;
    } catch (error) {
      const mayBeOriginal = error instanceof NotABatchService || (spoken !== 'batch' && isConnectionCut(error));
      if (!mayBeOriginal) throw error;
      const alerts = await analyzeEach(frames, mayGo);
      spoken = 'single';
      askAgainAtMs = parts.clock.monotonicMs() + ASK_AGAIN_MS;
      return alerts;
    }
  }

  async function analyzeEach(frames: readonly SampledFrame[], mayGo: MayGo): Promise<unknown[]> {
    const results = await Promise.allSettled(frames.map((frame) => analyzeOne(frame, mayGo)));
    const failure = results.find((result) => result.status === 'rejected');
    // One bad frame must not take the alerts of its neighbours with it.
    const alerts = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    if (failure !== undefined && alerts.length === 0) throw failure.reason;
    return alerts;
  }

  return {
    reconnects: false,
    isConnected: true,
    isBusy: false,
    batchSize: () => (spoken === 'batch' ? parts.batchSize : 1),
    analyze(frames, mayGo = () => true) {
      const nowMs = parts.clock.monotonicMs();
      if (spoken === 'single' && nowMs < askAgainAtMs) return analyzeEach(frames, mayGo);
      // Others that come meanwhile need not ask too.
      askAgainAtMs = nowMs + ASK_AGAIN_MS;
      return parts.protocol === 'auto' ? analyzeAuto(frames, mayGo) : analyzeBatch(frames, mayGo);
    },
    close: () => pool.destroy(),
  };
}

/** The connections of a pool. */
class OpenSockets {
  readonly #open = new Set<Socket>();
  readonly connect: buildConnector.connector;

  constructor(timeoutMs: number) {
    const connect = buildConnector({ timeout: timeoutMs });
    this.connect = (options, callback) =>
      connect(options, (...[error, socket]) => {
        if (error !== null) {
          callback(error, null);
          return;
        }
        this.#open.add(socket);
        socket.once('close', () => this.#open.delete(socket));
        callback(null, socket);
      });
  }

  /** The kernel has taken all that was written to any of them. */
  get areDrained(): boolean {
    return [...this.#open].every(({ writableLength }) => writableLength === 0);
  }
}

/** The service answered that it does not know batches. */
class NotABatchService extends Error {
  constructor() {
    super('the ML service knows no batches');
    this.name = 'NotABatchService';
  }
}

/** A small server may answer 404 and close without reading the body; the client then sees its own write fail. */
function isConnectionCut(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EPIPE' || code === 'ECONNRESET' || code === 'UND_ERR_SOCKET';
}

interface Answer {
  status: number;
  body: Uint8Array;
}

/** 204, or 200 with nothing: nothing was seen. */
function alertsIn({ status, body }: Answer, path: string): unknown[] {
  if (status < 200 || status > 299) throw new Error(`${path} answered ${status}`);
  return body.length === 0 ? [] : alertsInMessage(body).slice(0, MAX_ALERTS_PER_MESSAGE);
}
