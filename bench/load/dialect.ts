import { decode, encode } from '@msgpack/msgpack';
import { type Encoding, SUBPROTOCOLS } from '../../proto/codec.ts';
import { clientFrame, clientHeader } from './client-frame.ts';
import { acknowledges, type Connection, type LoadTarget } from './plan.ts';
import { STAMP_BASE64_CHARACTERS, STAMP_BYTES, type Stamp, writeStamp } from './stamp.ts';

/** What a message that is no frame means to the load. */
export type Said =
  | { kind: 'ready' }
  | { kind: 'error'; code: string }
  | { kind: 'alert'; sentMicros: number }
  /** To be answered with this at once. */
  | { kind: 'call'; answer: Buffer }
  | { kind: 'other' };

/** How one connection of the load speaks to its server. */
export interface Dialect {
  path: string;
  subprotocol: string | undefined;
  /** Said first; the connection is ready when the server has answered. Undefined: it is ready at once. */
  hello: Buffer | undefined;
  understand(head: Buffer, isText: boolean): Said;
  /** Buffers of one frame, for one write. `tail` is the picture from its third byte on, as `tailOf` gave it. */
  frame(stamp: Stamp, tail: Buffer): Buffer[];
  alert(sentMicros: number): Buffer | undefined;
  ack(received: number): Buffer | undefined;
}

/** A picture as every encoder of one encoding sends it after the stamp: made once, shared by all of them. */
export function tailOf(picture: Buffer, encoding: Encoding): Buffer {
  const rest = picture.subarray(2);
  return encoding === 'msgpack' ? rest : Buffer.from(`${rest.toString('base64')}"}`);
}

export function dialectOf(target: LoadTarget, connection: Connection, streamId: string): Dialect {
  if (target.dialect === 'watchout') return watchout(target, connection, streamId);
  return target.dialect === 'bare' ? bare(connection, streamId) : socketIo(connection, streamId);
}

/** The router's protocol, see `proto/PROTOCOL.md`. */
function watchout(target: LoadTarget, connection: Connection, streamId: string): Dialect {
  const { encoding, role } = connection;
  const kind = encoding === 'msgpack' ? 'binary' : 'text';
  const message = (body: object) =>
    clientFrame(kind, encoding === 'msgpack' ? encode(body) : Buffer.from(JSON.stringify(body)));
  const subprotocol = Object.entries(SUBPROTOCOLS).find(([, spoken]) => spoken === encoding)?.[0];
  const query = target.token === undefined ? '' : `?token=${encodeURIComponent(target.token)}`;
  const window = connection.role === 'viewer' && acknowledges(connection.kind) ? { window: connection.window } : {};
  const hello =
    role === 'encoder'
      ? { type: 'register', clientType: 'mobile', streamId, produces: ['video-frame', 'alert'], consumes: [] }
      : { type: 'subscribe', clientType: 'dashboard', streamId, consumes: ['video-frame', 'alert'], ...window };
  return {
    path: `${role === 'encoder' ? '/streams/register' : '/streams/subscribe'}${query}`,
    subprotocol,
    hello: message(hello),
    understand: (head, isText) => understandWatchout(head, isText),
    frame: frameWriter(streamId, encoding),
    alert: (sentMicros) =>
      message({
        type: 'alert',
        streamId,
        severity: 'low',
        message: 'load',
        metadata: { sentMicros },
        timestamp: Date.now(),
      }),
    ack: (received) => message({ type: 'ack', streamId, received }),
  };
}

/** Whatever an encoder sends on `/pub/<stream>` goes to everybody on `/sub/<stream>`. */
function bare({ role, encoding }: Connection, streamId: string): Dialect {
  return {
    path: `/${role === 'encoder' ? 'pub' : 'sub'}/${streamId}`,
    subprotocol: undefined,
    hello: undefined,
    understand: () => ({ kind: 'other' }),
    frame: frameWriter(streamId, encoding),
    alert: () => undefined,
    ack: () => undefined,
  };
}

/** Socket.IO over WebSocket alone, protocol 5 (Engine.IO 4): a text packet that announces one attachment, and the attachment. */
function socketIo({ role }: Connection, streamId: string): Dialect {
  const announcement = clientFrame('text', Buffer.from('451-["frame",{"_placeholder":true,"num":0}]'));
  const pong = clientFrame('text', Buffer.from('3'));
  return {
    path: `/socket.io/?EIO=4&transport=websocket&role=${role}&stream=${streamId}`,
    subprotocol: undefined,
    hello: clientFrame('text', Buffer.from('40')),
    understand(head, isText) {
      if (!isText) return { kind: 'other' };
      const text = head.toString('latin1', 0, 2);
      if (text === '2') return { kind: 'call', answer: pong };
      return { kind: text === '40' ? 'ready' : 'other' };
    },
    frame(stamp, tail) {
      const head = Buffer.allocUnsafe(STAMP_BYTES);
      writeStamp(stamp, head, 0, false);
      return [announcement, clientHeader('binary', STAMP_BYTES + tail.length), head, tail];
    },
    alert: () => undefined,
    ack: () => undefined,
  };
}

/**
 * Writes frames of one stream. All that changes from frame to frame is a stamp and a timestamp in the first two hundred bytes; the
 * picture is the shared buffer.
 */
function frameWriter(streamId: string, encoding: Encoding): Dialect['frame'] {
  const isJson = encoding === 'json';
  const stampLength = isJson ? STAMP_BASE64_CHARACTERS : STAMP_BYTES;
  // `data` comes last, so that what follows the picture is the same for everybody.
  const fields = { type: 'video-frame', streamId, timestamp: Date.now() };
  return (stamp, tail) => {
    fields.timestamp = Date.now();
    const start = isJson
      ? Buffer.from(`${JSON.stringify(fields).slice(0, -1)},"data":"`)
      : packedStart(fields, stampLength + tail.length);
    const header = clientHeader(isJson ? 'text' : 'binary', start.length + stampLength + tail.length);
    const head = Buffer.allocUnsafe(header.length + start.length + stampLength);
    head.set(header);
    head.set(start, header.length);
    writeStamp(stamp, head, header.length + start.length, isJson);
    return [head, tail];
  };
}

/** A MessagePack map of the fields and `data`, up to the first byte of the picture. */
function packedStart(fields: object, pictureBytes: number): Buffer {
  const head = encode(fields);
  const data = Buffer.from([0xa4, ...Buffer.from('data'), 0xc6, 0, 0, 0, 0]);
  data.writeUInt32BE(pictureBytes, data.length - 4);
  const start = Buffer.concat([head, data], head.length + data.length);
  // A fixmap: the low half of its first byte is how many fields it has.
  start[0] = (start[0] as number) + 1;
  return start;
}

function understandWatchout(head: Buffer, isText: boolean): Said {
  let message: { type?: unknown; code?: unknown; metadata?: { sentMicros?: unknown } };
  try {
    message = (isText ? JSON.parse(head.toString()) : decode(head)) as typeof message;
  } catch {
    // Longer than its head: nothing that the load sent.
    return { kind: 'other' };
  }
  if (typeof message !== 'object' || message === null) return { kind: 'other' };
  if (message.type === 'success') return { kind: 'ready' };
  if (message.type === 'error') return { kind: 'error', code: String(message.code) };
  const sentMicros = message.metadata?.sentMicros;
  if (message.type === 'alert' && typeof sentMicros === 'number') return { kind: 'alert', sentMicros };
  return { kind: 'other' };
}
