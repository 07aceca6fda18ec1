import { decode, encode } from '@msgpack/msgpack';
import { expect } from 'vitest';
import type { Encoded, Encoding } from '../../proto/codec.ts';
import type { Channel, RegisterMessage, SubscribeMessage } from '../../proto/messages.ts';
import { handleEncoderMessage, type RoutedMessage } from '../../src/gateways/websocket/control.ts';
import type { StreamAccess } from '../../src/router/access.ts';
import type { IngestLimits } from '../../src/router/ingest-limit.ts';
import type { RefusedFrame } from '../../src/router/lost-frames.ts';
import { noTap } from '../../src/router/no-tap.ts';
import { Outgoing } from '../../src/router/outgoing.ts';
import { Peer } from '../../src/router/peer.ts';
import type { Clock, FrameTap, PeerSocket, Publisher, SendResult, StreamOwners } from '../../src/router/ports.ts';
import { createRouter, type Router } from '../../src/router/router.ts';
import { EncoderLink } from '../../src/router/stream.ts';
import { Viewer } from '../../src/router/viewer.ts';

/** Any message a client received, parsed. */
export type Message = Record<string, unknown>;

/** One message that a socket accepted. */
export interface Received {
  kind: 'frame' | 'control';
  /** The very value that was handed to the socket; its memory may have been reused since. */
  raw: Encoded;
  encoding: Encoding;
  bytes: number;
  message: Message;
}

/** The library gathers messages below this, at most so many for one socket. */
const GATHERED_BELOW_BYTES = 16 * 1024;
const MOST_GATHERED = 32;

/** Wall clock at the start of a test. */
const EPOCH_MS = 1_700_000_000_000;

class FakeClock implements Clock {
  #elapsedMs = 0;

  epochMs(): number {
    return EPOCH_MS + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  advance(ms: number): void {
    this.#elapsedMs += ms;
  }
}

/** What the gateway does with the socket library's events. */
interface SocketEvents {
  /** `refused`: a message of a topic. Undefined: the one of a `send…` that is under way, which answers `refused` itself. */
  dropped: (refused: RefusedFrame | undefined) => void;
  drained: () => void;
  closed: () => void;
}

/**
 * A socket as uWebSockets.js behaves: a message is taken whole, or refused when more than `limitBytes` wait already. While
 * its reader keeps up everything goes straight to the kernel; `stall` makes it wait, `drain` lets some of it go.
 */
export class FakeSocket implements PeerSocket {
  readonly received: Received[] = [];
  readonly topicsEverJoined = new Set<string>();
  closedWith: { code: number; reason: string } | undefined;
  /** What the client sees of it: a close frame is refused like any message, and then the connection just breaks off. */
  codeSeenByClient: number | undefined;
  /** Largest amount that ever waited here, bytes. */
  mostBuffered = 0;
  readonly #library: FakeLibrary;
  readonly #events: SocketEvents;
  /** Gathered when the socket closed: the router had handed them over. */
  framesLostInClose = 0;
  readonly #gathered: RefusedFrame[] = [];
  #buffered = 0;
  #stalled = false;
  #inSend = false;

  constructor(library: FakeLibrary, events: SocketEvents) {
    this.#library = library;
    this.#events = events;
  }

  sendFrame(frame: Encoded, encoding: Encoding): SendResult {
    return this.#send('frame', frame, encoding);
  }

  sendControl(message: Encoded, encoding: Encoding): SendResult {
    return this.#send('control', message, encoding);
  }

  bufferedBytes(): number {
    return this.#buffered;
  }

  joinTopic(topic: string): void {
    this.#library.mustNotBeBusy('subscribe');
    if (this.closedWith !== undefined) return;
    this.#library.join(topic, this);
    this.topicsEverJoined.add(topic);
  }

  leaveTopic(topic: string): void {
    this.#library.mustNotBeBusy('unsubscribe');
    if (this.closedWith === undefined) this.#library.leave(topic, this);
  }

  close(code: number, reason: string): void {
    this.#library.mustNotBeBusy('close');
    if (this.closedWith !== undefined) return;
    const isRefused = this.#buffered > this.#library.limitBytes;
    this.codeSeenByClient = isRefused ? 1006 : code;
    if (isRefused) this.#library.whileInDropped(() => this.#events.dropped(undefined));
    this.framesLostInClose += this.#gathered.splice(0).length;
    this.closedWith = { code, reason };
    this.#library.forget(this);
    // The library emits its close event before `end` returns.
    this.#events.closed();
  }

  /** The client hangs up. */
  disconnect(): void {
    this.close(1006, '');
  }

  /** The reader stops: from now on everything waits here. */
  stall(): void {
    this.#stalled = true;
  }

  /** `bytes` of what waits reach the kernel. */
  drain(bytes: number): void {
    if (this.closedWith !== undefined || this.#buffered === 0) return;
    this.#buffered = Math.max(0, this.#buffered - bytes);
    this.#events.drained();
  }

  /** The reader keeps up again. */
  unstall(): void {
    this.#stalled = false;
    this.drain(this.#buffered);
  }

  /** One message of a topic this socket is in. */
  published(frame: Encoded, encoding: Encoding): void {
    if (!this.#library.gathers || frame.length >= GATHERED_BELOW_BYTES) {
      this.handOver();
      this.#take({ bytes: Buffer.from(frame), encoding }, frame);
      return;
    }
    this.#library.gathering.add(this);
    if (this.#gathered.length === MOST_GATHERED) this.handOver();
    this.#gathered.push({ bytes: Buffer.from(frame), encoding });
  }

  /** Small messages of topics that were gathered in this turn: when one is refused the others are lost without a word. */
  handOver(): void {
    for (const gathered of this.#gathered.splice(0)) if (!this.#take(gathered, gathered.bytes)) return;
  }

  #take(refused: RefusedFrame, raw: Encoded): boolean {
    if (this.#buffered > this.#library.limitBytes) {
      this.#library.whileInDropped(() => this.#events.dropped(refused));
      return false;
    }
    this.#accept('frame', raw, refused.encoding);
    return true;
  }

  get frames(): Received[] {
    return this.received.filter(({ kind }) => kind === 'frame');
  }

  /** The numbers of the frames of one stream, in the order of their arrival. */
  frameNumbers(streamId: string): number[] {
    return this.frames
      .filter(({ message }) => message['streamId'] === streamId)
      .map(({ message }) => numberOf(message));
  }

  /** Control messages of one type, in the order of their arrival. */
  controls(type: string): Message[] {
    return this.received.map(({ message }) => message).filter((message) => message['type'] === type);
  }

  /** Everything as short words: `success`, `status streaming`, `frame 3`, `alert 2`, `error UNAUTHORIZED`. */
  get story(): string[] {
    return this.received.map(({ message }) => {
      if (message['type'] === 'status') return `status ${message['status']}`;
      if (message['type'] === 'video-frame') return `frame ${numberOf(message)}`;
      if (message['type'] === 'alert') return `alert ${message['message']}`;
      if (message['type'] === 'error') return `error ${message['code']}`;
      return String(message['type']);
    });
  }

  /** The same with the stream that each was about: `door status online`, `garage frame 3`. */
  get storyByStream(): string[] {
    const { story } = this;
    return this.received.map(({ message }, index) => `${message['streamId']} ${story[index]}`);
  }

  #send(kind: Received['kind'], value: Encoded, encoding: Encoding): SendResult {
    this.#library.mustNotBeBusy('send');
    if (this.closedWith !== undefined) return 'refused';
    if (this.#inSend) throw new Error('the library recurses: send inside send');
    if (this.#buffered > this.#library.limitBytes) {
      this.#inSend = true;
      this.#library.whileInDropped(() => this.#events.dropped(undefined));
      this.#inSend = false;
      return 'refused';
    }
    // Only after the limit was looked at, and it is not looked at again.
    this.handOver();
    this.#accept(kind, value, encoding);
    return this.#stalled ? 'queued' : 'sent';
  }

  #accept(kind: Received['kind'], raw: Encoded, encoding: Encoding): void {
    const bytes = Buffer.byteLength(raw);
    if (this.#stalled) this.#buffered += bytes;
    this.mostBuffered = Math.max(this.mostBuffered, this.#buffered);
    this.received.push({ kind, raw, encoding, bytes, message: parse(raw, encoding) });
  }
}

/** The topics of uWebSockets.js, and what it answers with a crash: changing them, or calling a socket, while it is at work. */
export class FakeLibrary implements Publisher {
  readonly limitBytes: number;
  readonly topics = new Map<string, Set<FakeSocket>>();
  /** Every publish that reached the library, whoever was there to get it. */
  readonly publishes: { topic: string; frame: Encoded; encoding: Encoding }[] = [];
  /** Small messages of a turn of the event loop go out together at its end; otherwise each at once, as if it had a turn of its own. */
  readonly gathers: boolean;
  /** Sockets for which something is gathered. */
  readonly gathering = new Set<FakeSocket>();
  readonly #deferred: (() => void)[] = [];
  #busyWith: string | undefined;

  constructor(limitBytes: number, gathers: boolean) {
    this.limitBytes = limitBytes;
    this.gathers = gathers;
  }

  publishFrame(topic: string, frame: Encoded, encoding: Encoding): void {
    this.publishes.push({ topic, frame, encoding });
    this.#busyWith = 'a publish';
    for (const socket of this.topics.get(topic) ?? []) socket.published(frame, encoding);
    this.#busyWith = undefined;
  }

  defer = (action: () => void): void => {
    this.#deferred.push(action);
  };

  /** The turn of the event loop ends: what was deferred runs. */
  endTurn(): void {
    this.#busyWith = 'a publish';
    for (const socket of this.gathering) socket.handOver();
    this.gathering.clear();
    this.#busyWith = undefined;
    for (const action of this.#deferred.splice(0)) action();
  }

  join(topic: string, socket: FakeSocket): void {
    const members = this.topics.get(topic) ?? new Set();
    if (members.has(socket)) throw new Error(`joined ${topic} twice`);
    members.add(socket);
    this.topics.set(topic, members);
  }

  leave(topic: string, socket: FakeSocket): void {
    const members = this.topics.get(topic);
    if (members === undefined || !members.delete(socket)) throw new Error(`left ${topic} without being there`);
    if (members.size === 0) this.topics.delete(topic);
  }

  forget(socket: FakeSocket): void {
    for (const [topic, members] of this.topics) {
      if (members.delete(socket) && members.size === 0) this.topics.delete(topic);
    }
  }

  isMember(socket: FakeSocket): boolean {
    return [...this.topics.values()].some((members) => members.has(socket));
  }

  mustNotBeBusy(call: string): void {
    if (this.#busyWith !== undefined) throw new Error(`the library crashes: ${call} inside ${this.#busyWith}`);
  }

  whileInDropped(action: () => void): void {
    const outer = this.#busyWith;
    this.#busyWith = 'a dropped event';
    action();
    this.#busyWith = outer;
  }
}

/** An encoder's connection. */
export interface FakeEncoder {
  link: EncoderLink;
  socket: FakeSocket;
}

/** A dashboard's connection. */
export interface FakeViewer {
  viewer: Viewer;
  socket: FakeSocket;
}

export interface RegisterOptions {
  userId?: string;
  produces?: Channel[];
  consumes?: Channel[];
  encoding?: Encoding;
  /** A client that offers a subprotocol is told everything; others must say what they understand. */
  offersSubprotocol?: boolean;
}

/** Who watches, and what is asked for beside the stream. */
export interface WatchOptions extends Partial<SubscribeMessage> {
  userId?: string;
  encoding?: Encoding;
}

export interface WorldOptions {
  /** Backpressure limit of every socket. */
  limitBytes?: number;
  access?: StreamAccess;
  limits?: Partial<IngestLimits>;
  graceMs?: number;
  alertCooldownMs?: number;
  /** See `FakeLibrary.gathers`. */
  gathers?: boolean;
  tap?: FrameTap;
  owners?: StreamOwners;
  maxStreamsPerUser?: number;
  maxViewersPerStream?: number;
}

/** A router with nothing real around it, and the gateway's part played by hand. */
export class World {
  readonly clock = new FakeClock();
  readonly library: FakeLibrary;
  readonly router: Router;
  /** Ids of alerts that went to the sink. */
  readonly forwarded: string[] = [];
  #lastAlert = 0;
  #lastToken = 0;
  #lastStream = 0;

  constructor({
    limitBytes = 1_000,
    access = 'owner',
    limits,
    graceMs = 15_000,
    alertCooldownMs = 0,
    gathers = false,
    tap,
    owners,
    maxStreamsPerUser = 10_000,
    maxViewersPerStream = 10_000,
  }: WorldOptions = {}) {
    this.library = new FakeLibrary(limitBytes, gathers);
    this.router = createRouter({
      publisher: this.library,
      tap: tap ?? noTap,
      clock: this.clock,
      defer: this.library.defer,
      log: () => undefined,
      limits: { maxFps: 60, maxBytesPerSecond: 64 * 1024 * 1024, maxMessageBytes: 16 * 1024 * 1024, ...limits },
      graceMs,
      access,
      owners,
      maxStreamsPerUser,
      maxViewersPerStream,
      newStreamId: () => {
        this.#lastStream += 1;
        return `stream_${this.#lastStream}`;
      },
      newAlertId: () => {
        this.#lastAlert += 1;
        return String(this.#lastAlert).padStart(8, '0');
      },
      newResumeToken: () => {
        this.#lastToken += 1;
        return `token-${this.#lastToken}`;
      },
      alertCooldownMs,
      alertSink: { take: (alert) => void this.forwarded.push(alert.id) },
      evidence: { keep: () => undefined, find: () => undefined },
    });
  }

  encoder({ userId = 'anna', encoding = 'msgpack', offersSubprotocol = true }: RegisterOptions = {}): FakeEncoder {
    const socket: FakeSocket = new FakeSocket(this.library, {
      dropped: () => undefined,
      drained: () => link.peer.flush(),
      closed: () => this.router.streams.encoderGone(link),
    });
    const peer = new Peer({ userId, sessionId: `${userId}-session` }, socket, offersSubprotocol ? encoding : undefined);
    peer.encoding = encoding;
    const link = new EncoderLink(peer);
    return { link, socket };
  }

  /** A control message of an encoder, answered as the gateway does it. */
  say({ link }: FakeEncoder, message: RoutedMessage): void {
    handleEncoderMessage(this.router, this.clock, link, message);
  }

  /** A new encoder that registers as over the wire: it is sent `success`, and `throttle` if it should. */
  greet(fields: Partial<RegisterMessage> = {}, options: RegisterOptions = {}): FakeEncoder {
    const encoder = this.encoder(options);
    this.say(encoder, { type: 'register', clientType: 'mobile', ...fields });
    return encoder;
  }

  register(streamId: string | undefined, options: RegisterOptions = {}): FakeEncoder {
    const encoder = this.encoder(options);
    this.registerOn(encoder, streamId, options);
    return encoder;
  }

  registerOn(
    { link }: FakeEncoder,
    streamId: string | undefined,
    { produces, consumes }: RegisterOptions = {},
  ): string {
    const message = {
      type: 'register',
      clientType: 'mobile',
      streamId,
      produces,
      consumes,
      metadata: undefined,
    } as const;
    return this.router.streams.register(link, message).id;
  }

  viewer(userId = 'anna', encoding: Encoding = 'msgpack'): FakeViewer {
    const socket: FakeSocket = new FakeSocket(this.library, {
      dropped: (refused) => this.router.viewers.dropped(viewer, refused),
      drained: () => viewer.catchUp(),
      closed: () => this.router.viewers.gone(viewer),
    });
    const viewer = new Viewer(new Peer({ userId, sessionId: `${userId}-session` }, socket, encoding));
    return { viewer, socket };
  }

  /** A new viewer that watches `streamId`. */
  watch(streamId: string, userId = 'anna', encoding: Encoding = 'msgpack', consumes?: Channel[]): FakeViewer {
    const watcher = this.viewer(userId, encoding);
    this.subscribe(watcher, streamId, consumes);
    return watcher;
  }

  /** A new viewer that asks for more than a plain subscription: `window`, `maxFps`, `since` … */
  watchWith(streamId: string | string[], { userId, encoding, ...wish }: WatchOptions): FakeViewer {
    const watcher = this.viewer(userId, encoding);
    this.subscribe(watcher, streamId, wish.consumes, wish);
    return watcher;
  }

  subscribe(
    { viewer }: FakeViewer,
    streamId: string | string[],
    consumes?: Channel[],
    wish: Partial<SubscribeMessage> = {},
  ): void {
    const named = typeof streamId === 'string' ? { streamId } : { streamIds: streamId };
    const message = { type: 'subscribe', clientType: 'dashboard', consumes, ...named, ...wish } as const;
    this.router.viewers.subscribe(viewer, message);
  }

  /** Frames of this stream have arrived at a viewer with a window, so many in all. */
  ack({ viewer }: FakeViewer, streamId: string, received: number): void {
    this.router.viewers.acknowledge(viewer, { type: 'ack', streamId, received });
  }

  unsubscribe({ viewer }: FakeViewer, streamId: string): void {
    this.router.viewers.unsubscribe(viewer, streamId);
  }

  /** Sends a message of an encoder. Afterwards its memory is taken back, as the socket library does it. */
  send({ link }: FakeEncoder, message: Buffer, encoding: Encoding): boolean {
    const memory = Buffer.from(message);
    try {
      return this.router.framePath.accept(link, memory, encoding);
    } finally {
      memory.fill(0);
    }
  }

  /** Frame number `number` of the encoder's stream, its message `bytes` long or somewhat longer. */
  frame(encoder: FakeEncoder, number: number, bytes = 60, encoding: Encoding = 'msgpack'): boolean {
    return this.send(encoder, frameMessage(encoder.link.stream?.id ?? 'none', number, bytes, encoding), encoding);
  }

  /** The ML service reports an alert. */
  alert(streamId: string, message = 'fall'): void {
    this.router.alerts.fromService({ streamId, severity: 'high', message, metadata: undefined, timestamp: undefined });
  }

  /** A control message for one viewer, which the router says for no other reason. */
  tell({ viewer }: FakeViewer, message: string): void {
    const { peer } = viewer;
    peer.tell(new Outgoing({ type: 'success', message, streamId: 'none', timestamp: this.clock.epochMs() }));
  }

  /** Time passes, and streams are told. */
  advance(ms: number): void {
    this.clock.advance(ms);
    this.router.streams.tick();
  }
}

/**
 * A `video-frame` message of about `bytes` bytes: exactly that many in MessagePack and up to 2 more in JSON, but never fewer
 * than the fields take. Its timestamp is `number`, so that tests recognise it.
 */
export function frameMessage(streamId: string, number: number, bytes: number, encoding: Encoding): Buffer {
  const overhead = encodeFrame(streamId, number, jpegOf(4, number), encoding).length - (encoding === 'json' ? 8 : 4);
  const room = Math.max(8, bytes - overhead);
  if (encoding === 'json') return encodeFrame(streamId, number, jpegOf(Math.ceil(room / 4) * 3, number), 'json');
  const message = encodeFrame(streamId, number, jpegOf(room, number), 'msgpack');
  const excess = message.length - Math.max(bytes, overhead + 8);
  return excess === 0 ? message : encodeFrame(streamId, number, jpegOf(room - excess, number), 'msgpack');
}

/** A tiny picture: the first bytes of a JPEG, then bytes that tell one picture from another. */
export function jpegOf(length: number, number = 0): Uint8Array {
  const jpeg = new Uint8Array(length).fill(number % 251);
  jpeg[0] = 0xff;
  jpeg[1] = 0xd8;
  return jpeg;
}

/** A message's fields, from bytes or text that its memory's owner may soon take back. */
export function parse(value: Encoded, encoding: Encoding): Message {
  const bytes = Buffer.from(value);
  return (encoding === 'json' ? JSON.parse(bytes.toString('utf8')) : decode(bytes)) as Message;
}

/** The picture of a frame in either encoding, in base64. */
export function pictureOf(message: Message): string {
  const data = message['data'];
  return typeof data === 'string' ? data : Buffer.from(data as Uint8Array).toString('base64');
}

/** For `toThrow`: the refusal that a client is answered with. */
export function refusal(code: string, message: RegExp = /./) {
  return expect.objectContaining({ name: 'ProtocolError', code, message: expect.stringMatching(message) });
}

function numberOf(message: Message): number {
  return message['timestamp'] as number;
}

function encodeFrame(streamId: string, timestamp: number, jpeg: Uint8Array, encoding: Encoding): Buffer {
  const head = { type: 'video-frame', streamId };
  if (encoding === 'msgpack') return Buffer.from(encode({ ...head, data: jpeg, timestamp }));
  return Buffer.from(JSON.stringify({ ...head, data: Buffer.from(jpeg).toString('base64'), timestamp }));
}
