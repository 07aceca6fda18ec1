import { RESERVATION_LIMITS } from '../../router/reservations.ts';
import { schemaRef } from './json-schemas.ts';
import type { Operations } from './operation.ts';

const ANOTHERS = '`UNAUTHORIZED`: it is another user’s';
const NONE = '`NOT_FOUND`: no such stream is live or reserved';
const RESERVED_HOURS = RESERVATION_LIMITS.unusedMs / 3_600_000;

export const STREAM_OPERATIONS: Operations = {
  'POST /api/tickets': {
    id: 'buyTicket',
    tag: 'Users',
    summary: 'A ticket, which opens one WebSocket or HTTP path',
    description:
      'It stands for the session in `?ticket=`, once, within 30 s: so no token need be in a URL. A ticket buys no other.',
    refusesTickets: true,
    answers: { 201: { description: 'The ticket', body: 'Ticket' } },
    errors: { 429: '`RATE_LIMITED`: too many failed attempts of the address; or 100 tickets of the user are unused' },
  },
  'GET /api/streams/list': {
    id: 'listStreams',
    tag: 'Streams',
    summary: 'The streams of the session’s user, live and reserved',
    query: {
      watchable: {
        description:
          'With `true` also live streams of others that the user may watch, where `STREAM_ACCESS` says so; `own` tells them apart',
        schema: { type: 'string', enum: ['true', 'false'] },
      },
    },
    answers: { 200: { description: 'From memory', body: 'StreamList' } },
    errors: { 400: '`INVALID_MESSAGE`: `watchable` is neither' },
  },
  'POST /api/streams/register': {
    id: 'reserveStream',
    tag: 'Streams',
    summary: 'A name for a stream, before its encoder connects',
    description: `Optional: an encoder may register on a WebSocket without it. The name is kept for its user for ${RESERVED_HOURS} hours after it was last used.`,
    body: {
      description: 'What is known of the device; may be empty',
      required: false,
      content: { 'application/json': schemaRef('Reservation') },
    },
    answers: { 201: { description: 'The name, for `streamId` of `register`', body: 'ReservedStream' } },
    errors: {
      400: '`INVALID_MESSAGE`: the message says which field',
      413: '`PAYLOAD_TOO_LARGE`: over 128 KiB',
      415: '`INVALID_MESSAGE`: the body is not `application/json`',
      429: '`ROUTING_ERROR`: the user has as many streams as they may, or says too much of them. `RATE_LIMITED`: too many failed attempts of the address',
    },
  },
  'POST /api/offer': {
    id: 'offerWebRtc',
    tag: 'Streams',
    summary: 'WebRTC is not spoken here',
    answers: {},
    errors: { 501: '`NOT_IMPLEMENTED`: the message says what to use instead' },
  },
  'GET /api/users/:user/streams': {
    id: 'listUserStreams',
    tag: 'Users',
    summary: 'The same list, in the older words',
    answers: { 200: { description: 'From memory', body: 'UserStreams' } },
  },
  'GET /api/users/:user/streams/:stream': {
    id: 'showUserStream',
    tag: 'Users',
    summary: 'One stream, in the older words',
    answers: { 200: { description: 'From memory', body: 'UserStream' } },
    errors: { 403: ANOTHERS, 404: NONE },
  },
  'DELETE /api/users/:user/streams/:stream': {
    id: 'deleteUserStream',
    tag: 'Users',
    summary: 'Ends a stream and gives up its name',
    description: 'Its encoder is closed with 4404, its viewers are told `offline`.',
    answers: { 200: { description: 'It is gone', body: 'DeletedStream' } },
    errors: { 403: ANOTHERS, 404: NONE },
  },
  'DELETE /api/users/:user': {
    id: 'deleteUserStreams',
    tag: 'Users',
    summary: 'Ends all streams of the user',
    answers: { 200: { description: 'Which they were', body: 'DeletedStreams' } },
  },
};
