import { parseReportedAlert } from '../../../proto/codec.ts';
import { ProtocolError } from '../../../proto/errors.ts';
import type { ReportedAlert } from '../../../proto/messages.ts';
import { mayWatch, type StreamAccess } from '../../router/access.ts';
import type { AnalysedFrame, EvidenceRoom, TicketOffice } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import type { Doorkeeper, Session } from './doorkeeper.ts';
import type { Exchange } from './exchange.ts';
import type { Routes } from './routes.ts';

export interface ApiParts {
  router: Router;
  doorkeeper: Doorkeeper;
  tickets: TicketOffice;
  evidence: EvidenceRoom;
  /** The frame that a reported alert speaks of, where it is still there. */
  frameOf: (alert: ReportedAlert) => AnalysedFrame | undefined;
  access: StreamAccess;
}

const MAX_ALERTS_BYTES = 1024 * 1024;
const MAX_ALERTS = 1_000;

/** The paths that need a session, or the service token. */
export function serveApi(routes: Routes, parts: ApiParts): void {
  const { doorkeeper, tickets } = parts;
  routes.add('/api/tickets', {
    // A ticket buys no other: they would go on for ever.
    POST: doorkeeper.withSession((exchange, session) => sellTicket(exchange, session, tickets), { tickets: false }),
  });
  routes.add('/streams/:stream/snapshot.jpg', {
    GET: doorkeeper.withSession((exchange, session) => sendSnapshot(exchange, session, parts)),
  });
  routes.add('/api/alerts/:alert/frame.jpg', {
    GET: doorkeeper.withSession((exchange, session) => sendEvidence(exchange, session, parts)),
  });
  routes.add('/api/users/:user/streams', {
    GET: doorkeeper.withSession(ofTheUser(parts, listStreams)),
  });
  routes.add('/api/users/:user/streams/:stream', {
    DELETE: doorkeeper.withSession(ofTheUser(parts, deleteStream)),
  });
  routes.add('/api/users/:user', {
    DELETE: doorkeeper.withSession(ofTheUser(parts, deleteStreams)),
  });
  routes.add('/alerts', { POST: doorkeeper.withServiceToken((exchange) => takeAlerts(exchange, parts)) });
}

function sellTicket(exchange: Exchange, session: Session, tickets: TicketOffice): void {
  const ticket = tickets.issue(session);
  if (ticket !== undefined) exchange.json(201, ticket);
  else exchange.error(429, 'RATE_LIMITED', 'This user holds too many unused tickets', { 'retry-after': '30' });
}

function sendSnapshot(exchange: Exchange, { principal }: Session, { router, access }: ApiParts): void {
  const [streamId = ''] = exchange.parameters;
  const stream = router.streams.get(streamId);
  if (stream === undefined) {
    notFound(exchange, 'No such stream is live');
  } else if (!mayWatch(access, principal.userId, stream.ownerId)) {
    forbidden(exchange, router, 'The stream is another user’s');
  } else {
    const jpeg = stream.newest.jpeg();
    if (jpeg === undefined) notFound(exchange, 'The stream has had no frame yet');
    else exchange.bytes(200, jpeg, { 'content-type': 'image/jpeg' });
  }
}

function sendEvidence(exchange: Exchange, { principal }: Session, { router, access, evidence }: ApiParts): void {
  const [alertId = ''] = exchange.parameters;
  const found = evidence.find(alertId);
  if (found === undefined) notFound(exchange, 'No picture of such an alert is kept');
  else if (!mayWatch(access, principal.userId, found.ownerId)) {
    forbidden(exchange, router, 'The alert is of another user’s stream');
  } else exchange.bytes(200, found.jpeg, { 'content-type': 'image/jpeg' });
}

/** Paths that name a user: it must be the session's. */
function ofTheUser(parts: ApiParts, handler: (exchange: Exchange, userId: string, parts: ApiParts) => void) {
  return (exchange: Exchange, { principal }: Session): void => {
    if (exchange.parameters[0] === principal.userId) handler(exchange, principal.userId, parts);
    else forbidden(exchange, parts.router, 'The path names another user than the session’s');
  };
}

function listStreams(exchange: Exchange, userId: string, { router }: ApiParts): void {
  const own = [...router.streams.all].filter(({ ownerId }) => ownerId === userId);
  exchange.json(200, { user_id: userId, streams: own.map(({ id, status }) => ({ stream_id: id, status })) });
}

function deleteStream(exchange: Exchange, userId: string, { router }: ApiParts): void {
  const [, streamId = ''] = exchange.parameters;
  try {
    const isDeleted = router.streams.delete(streamId, userId);
    if (isDeleted) exchange.json(200, { user_id: userId, stream_id: streamId, status: 'deleted' });
    else notFound(exchange, 'No such stream is live');
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    forbidden(exchange, router, 'The stream is another user’s');
  }
}

function deleteStreams(exchange: Exchange, userId: string, { router }: ApiParts): void {
  const own = [...router.streams.all].filter(({ ownerId }) => ownerId === userId).map(({ id }) => id);
  for (const id of own) router.streams.delete(id, userId);
  exchange.json(200, { user_id: userId, deleted: own });
}

/** Alerts of the ML service, one or a list. Each is judged by itself. */
async function takeAlerts(exchange: Exchange, { router, frameOf }: ApiParts): Promise<void> {
  const body = await exchange.body(MAX_ALERTS_BYTES);
  if (body === undefined) return;
  const alerts = listIn(body);
  if (alerts === undefined || alerts.length > MAX_ALERTS) {
    return exchange.error(400, 'INVALID_MESSAGE', `The body must be JSON: an alert, or a list of up to ${MAX_ALERTS}`);
  }
  const refused: { index: number; code: string; message: string }[] = [];
  for (const [index, alert] of alerts.entries()) {
    try {
      const reported = parseReportedAlert(alert);
      router.alerts.fromService(reported, frameOf(reported));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      refused.push({ index, code: error.code, message: error.message });
    }
  }
  exchange.json(200, { accepted: alerts.length - refused.length, refused });
}

function listIn(body: Buffer): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return Array.isArray(value) ? value : [value];
  } catch {
    return undefined;
  }
}

function notFound(exchange: Exchange, message: string): void {
  exchange.error(404, 'NOT_FOUND', message);
}

function forbidden(exchange: Exchange, { counters }: Router, message: string): void {
  counters.unauthorized += 1;
  exchange.error(403, 'UNAUTHORIZED', message);
}
