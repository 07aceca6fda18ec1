import type { Operations } from './operation.ts';

const NONE = '`NOT_FOUND`: no such stream is live';
const ANOTHERS = '`UNAUTHORIZED`: the stream is another user’s';

export const PICTURE_OPERATIONS: Operations = {
  'GET /streams/:stream/snapshot.jpg': {
    id: 'showSnapshot',
    tag: 'Pictures',
    summary: 'The newest picture of a stream',
    headers: {
      'if-none-match': { description: 'The `ETag` of the picture that is there', schema: { type: 'string' } },
      'if-modified-since': {
        description: 'Its `Last-Modified`; counts without `If-None-Match`',
        schema: { type: 'string' },
      },
    },
    answers: {
      200: {
        description: 'The JPEG, as its encoder sent it',
        contentType: 'image/jpeg',
        headers: {
          age: 'Seconds since it came',
          etag: 'Of this picture: with it in `If-None-Match` the answer is 304 until a newer one has come',
          'last-modified': 'When it came',
        },
      },
      304: { description: 'There is no newer one' },
    },
    errors: { 403: ANOTHERS, 404: `${NONE}, or it has had no frame yet` },
  },
  'GET /streams/:stream/live.mjpeg': {
    id: 'watchMjpeg',
    tag: 'Pictures',
    summary: 'The stream as a series of pictures, for an `<img>`',
    description:
      'Only the newest picture is ever sent. It counts as a connection, and ends with the session, the stream, or the router.',
    query: { fps: { description: 'Most pictures a second', schema: { type: 'number', minimum: 0.1, maximum: 60 } } },
    answers: {
      200: {
        description: 'JPEGs; to programs each part says its length and, in `X-Timestamp`, when it was captured',
        contentType: 'multipart/x-mixed-replace; boundary=frame',
      },
    },
    errors: {
      400: '`INVALID_MESSAGE`: `fps` is no such number',
      403: ANOTHERS,
      404: NONE,
      503: '`TOO_MANY_CONNECTIONS`: of the address, the user, the stream or in all. `UNAVAILABLE`: sessions cannot be checked now, or the router shuts down',
    },
  },
  'POST /streams/:stream/frames': {
    id: 'postFrames',
    tag: 'Pictures',
    summary: 'Pictures of an encoder that speaks nothing but HTTP',
    description:
      'The first picture registers the stream, under a name of 1 to 128 of the characters `A-Z a-z 0-9 _ . : -`. With one picture in each request, who posts nothing for 10 s is gone. One request with many is answered at its end, and is a connection meanwhile.',
    query: {
      metadata: {
        description: 'As in `register`, as JSON',
        schema: { type: 'string', contentMediaType: 'application/json' },
      },
    },
    headers: {
      'x-timestamp': {
        description:
          'When the picture was captured, ms since the epoch; default: now. In a multipart body each part has its own',
        schema: { type: 'number', minimum: 0 },
      },
    },
    body: {
      description: 'One JPEG; or one in each part; or one after the other. No content type is as the last one',
      required: true,
      content: {
        'image/jpeg': {},
        'multipart/x-mixed-replace': {},
        'multipart/form-data': {},
        'video/x-motion-jpeg': {},
        'application/octet-stream': {},
      },
    },
    answers: {
      200: { description: 'What became of many pictures', body: 'PostedFrames' },
      204: { description: 'The one picture was taken' },
    },
    errors: {
      400: '`INVALID_MESSAGE`: no JPEG, or a name that no stream may have',
      403: ANOTHERS,
      408: '`TIMEOUT`: nothing came for 30 s of one picture, or for 120 s of many',
      409: '`TAKEN_OVER`: a newer encoder of the user has the stream; stop',
      410: '`STREAM_DELETED`: stop',
      413: '`PAYLOAD_TOO_LARGE`: a picture over the limit, 16 MiB by default',
      415: '`INVALID_MESSAGE`: the body is of a type that holds no pictures',
      429: '`RATE_LIMITED`: over the stream’s rate, and dropped; or too many failed attempts of the address. `ROUTING_ERROR`: the user has as many streams as they may',
      503: '`TOO_MANY_CONNECTIONS`: of the address, the user, or in all. `UNAVAILABLE`: sessions cannot be checked now, or the router shuts down',
    },
  },
};
