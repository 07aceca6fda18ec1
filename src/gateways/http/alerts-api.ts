import * as z from 'zod';
import { parseReportedAlert } from '../../../proto/codec.ts';
import { ProtocolError } from '../../../proto/errors.ts';
import { STREAM_ID_PATTERN } from '../../../proto/limits.ts';
import { type ReportedAlert, SEVERITIES } from '../../../proto/messages.ts';
import { mayWatch, type StreamAccess } from '../../router/access.ts';
import type { Remembered } from '../../router/alert-history.ts';
import { alertPage } from '../../router/alert-page.ts';
import type { AnalysedFrame, EvidenceRoom } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import type { Doorkeeper, Session } from './doorkeeper.ts';
import type { Exchange } from './exchange.ts';
import { readQuery } from './query.ts';
import { forbidden, invalid, notFound } from './refusals.ts';
import { JSON_TYPE } from './reply.ts';
import type { Routes } from './routes.ts';

export interface AlertsApiParts {
  router: Router;
  doorkeeper: Doorkeeper;
  evidence: EvidenceRoom;
  /** The frame that a reported alert speaks of, where it is still there. */
  frameOf: (alert: ReportedAlert) => AnalysedFrame | undefined;
  access: StreamAccess;
}

const MAX_ALERTS_BYTES = 1024 * 1024;
const MAX_ALERTS = 1_000;
const DEFAULT_PAGE = 50;
const MAX_PAGE = 200;

/** The ends of JavaScript's time, ms since the epoch. */
const LAST_TIME_MS = 8.64e15;

const isoTime = z.iso.datetime({ offset: true }).or(z.iso.date());

/** Ms since the epoch, or ISO 8601: with its zone, or a day, which begins in UTC. */
const time = z.string().transform((text, context): number => {
  if (/^\d{1,16}$/.test(text) && Number(text) <= LAST_TIME_MS) return Number(text);
  if (isoTime.safeParse(text).success) return Date.parse(text);
  context.addIssue('must be ms since the epoch, or ISO 8601 with a time zone: 2026-01-31T12:00:00Z');
  return z.NEVER;
});

const limit = z
  .string()
  .regex(/^\d{1,9}$/, `must be 1 to ${MAX_PAGE}`)
  .transform(Number)
  .refine((count) => count >= 1 && count <= MAX_PAGE, `must be 1 to ${MAX_PAGE}`);

/** The id of the last alert of a page: new ones that come in have greater ones, and shift nothing. */
const cursor = z.string().transform((text, context): string => {
  const alertId = /^before ([\w-]{1,64})$/.exec(Buffer.from(text, 'base64url').toString('latin1'))?.[1];
  if (alertId !== undefined && cursorAfter(alertId) === text) return alertId;
  context.addIssue('must be the nextCursor of an earlier answer');
  return z.NEVER;
});

function cursorAfter(alertId: string): string {
  return Buffer.from(`before ${alertId}`).toString('base64url');
}

const severities = z
  .string()
  .transform((list) => [...new Set(list.split(',').map((severity) => severity.trim()))])
  .pipe(z.array(z.enum(SEVERITIES)));

export const alertsQuery = z.object({
  streamId: z.string().regex(STREAM_ID_PATTERN, 'must be 1 to 128 of the characters A-Z a-z 0-9 _ . : -').optional(),
  severity: severities.optional(),
  since: time.optional(),
  until: time.optional(),
  limit: limit.optional(),
  cursor: cursor.optional(),
});

/** Alerts: what is remembered of them, their pictures, and the door of the ML service that reports them. */
export function serveAlerts(routes: Routes, parts: AlertsApiParts): void {
  const { doorkeeper } = parts;
  routes.add('/api/alerts', {
    GET: doorkeeper.withSession((exchange, session) => listAlerts(exchange, session, parts)),
  });
  routes.add('/api/alerts/:alert/frame.jpg', {
    GET: doorkeeper.withSession((exchange, session) => sendEvidence(exchange, session, parts)),
  });
  routes.add('/alerts', { POST: doorkeeper.withServiceToken((exchange) => takeAlerts(exchange, parts)) });
}

function listAlerts(exchange: Exchange, { principal }: Session, { router, access, evidence }: AlertsApiParts): void {
  const { userId } = principal;
  const result = readQuery(exchange.request.query, alertsQuery);
  if (result.kind === 'problem') {
    invalid(exchange, result.problem);
    return;
  }
  const { streamId, severity, since, until, limit: count = DEFAULT_PAGE, cursor: beforeId } = result.query;
  const ownerId = streamId === undefined ? userId : ownerOf(router, streamId, userId);
  if (!mayWatch(access, userId, ownerId)) {
    forbidden(exchange, router, 'streamId: the stream is another user’s');
    return;
  }
  const wanted = { streamId, severities: severity, sinceMs: since, untilMs: until, beforeId, limit: count };
  const { alerts, last } = alertPage(router.history.of(ownerId), wanted);
  const rows = alerts.map((alert) => rowOf(alert, evidence)).join(',');
  const nextCursor = last === undefined ? null : cursorAfter(last);
  const rest = JSON.stringify({ nextCursor, source: 'memory' });
  exchange.bytes(200, `{"alerts":[${rows}],${rest.slice(1)}`, JSON_TYPE);
}

/** Whose alerts of a stream are asked for: a stream that is there is its owner's; of others only alerts may tell. */
function ownerOf({ streams, history }: Router, streamId: string, userId: string): string {
  const owner = streams.ownerOf(streamId);
  if (owner !== undefined) return owner;
  const isOwn = history.of(userId).some((alert) => alert.streamId === streamId);
  return isOwn ? userId : (history.ownerOf(streamId) ?? userId);
}

/** The alert's own text, and more at its end: a page may be a megabyte, and frames would wait while it was taken apart and written again. */
function rowOf({ id, createdAtMs, outgoing }: Remembered, evidence: EvidenceRoom): string {
  const frameUrl = evidence.find(id) === undefined ? {} : { frameUrl: `/api/alerts/${id}/frame.jpg` };
  const more = JSON.stringify({ createdAt: new Date(createdAtMs).toISOString(), ...frameUrl });
  return `${String(outgoing.in('json')).slice(0, -1)},${more.slice(1)}`;
}

function sendEvidence(exchange: Exchange, { principal }: Session, { router, access, evidence }: AlertsApiParts): void {
  const [alertId = ''] = exchange.parameters;
  const found = evidence.find(alertId);
  if (found === undefined) notFound(exchange, 'No picture of such an alert is kept');
  else if (!mayWatch(access, principal.userId, found.ownerId)) {
    forbidden(exchange, router, 'The alert is of another user’s stream');
  } else exchange.bytes(200, found.jpeg, { 'content-type': 'image/jpeg' });
}

/** Alerts of the ML service, one or a list. Each is judged by itself. */
async function takeAlerts(exchange: Exchange, { router, frameOf }: AlertsApiParts): Promise<void> {
  const body = await exchange.body(MAX_ALERTS_BYTES);
  const json = body === undefined ? undefined : exchange.readJson(body);
  if (json === undefined) return;
  const alerts: unknown[] = Array.isArray(json.value) ? json.value : [json.value];
  if (json.value === undefined || alerts.length > MAX_ALERTS) {
    invalid(exchange, `The body must be JSON: an alert, or a list of up to ${MAX_ALERTS}`);
    return;
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
