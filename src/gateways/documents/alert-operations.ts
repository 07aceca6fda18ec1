import { STREAM_ID_PATTERN } from '../../../proto/limits.ts';
import { SEVERITIES } from '../../../proto/messages.ts';
import type { alertsQuery } from '../http/alerts-api.ts';
import { schemaRef } from './json-schemas.ts';
import type { Operations, Parameter } from './operation.ts';

const TIME = 'Ms since the epoch, or ISO 8601 with a time zone';

const QUERY: Readonly<Record<keyof typeof alertsQuery.shape, Parameter>> = {
  streamId: {
    description: 'Only of this stream; default: all of the session’s user',
    schema: { type: 'string', pattern: STREAM_ID_PATTERN.source },
  },
  severity: {
    description: `Only of these, with commas between them: ${SEVERITIES.join(', ')}`,
    schema: { type: 'string', examples: ['high,critical'] },
  },
  since: { description: `Only those that came then or later. ${TIME}`, schema: { type: 'string' } },
  until: { description: `Only those that came before then. ${TIME}`, schema: { type: 'string' } },
  limit: {
    description: 'Most alerts on a page, which may hold fewer though there are more',
    schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
  },
  cursor: {
    description: '`nextCursor` of the page before; the other parameters stay as they were',
    schema: { type: 'string' },
  },
};

export const ALERT_OPERATIONS: Operations = {
  'GET /api/alerts': {
    id: 'listAlerts',
    tag: 'Alerts',
    summary: 'What the router remembers of alerts, the newest first',
    description:
      'The last 1,000 of each user, in memory. Who keeps alerts for good is the service behind `ALERT_WEBHOOK_URL`.',
    query: QUERY,
    answers: { 200: { description: 'One page', body: 'AlertPage' } },
    errors: {
      400: '`INVALID_MESSAGE`: the message says which parameter',
      403: '`UNAUTHORIZED`: the stream is another user’s',
    },
  },
  'GET /api/alerts/:alert/frame.jpg': {
    id: 'showAlertFrame',
    tag: 'Alerts',
    summary: 'The picture in which an alert was seen',
    answers: { 200: { description: 'The JPEG', contentType: 'image/jpeg' } },
    errors: {
      403: '`UNAUTHORIZED`: the alert is of another user’s stream',
      404: '`NOT_FOUND`: there is no such alert, or its picture is not kept',
    },
  },
  'POST /alerts': {
    id: 'reportAlerts',
    tag: 'Alerts',
    summary: 'The ML service reports alerts',
    description: 'Each alert of a list is judged by itself: the answer is 200 also when all of them are refused.',
    body: {
      description: 'An alert, or a list of up to 1,000',
      required: true,
      content: {
        'application/json': {
          anyOf: [
            schemaRef('ReportedAlert'),
            schemaRef('ReportedAnomaly'),
            {
              type: 'array',
              maxItems: 1000,
              items: { anyOf: [schemaRef('ReportedAlert'), schemaRef('ReportedAnomaly')] },
            },
          ],
        },
      },
    },
    answers: { 200: { description: 'How many went out, and why others did not', body: 'TakenAlerts' } },
    errors: {
      400: '`INVALID_MESSAGE`: no JSON, or a list of more than 1,000',
      413: '`PAYLOAD_TOO_LARGE`: over 1 MiB',
      415: '`INVALID_MESSAGE`: the body is not `application/json`',
    },
  },
};
