import { invalid } from './errors.ts';
import type { DeliveredAlert } from './messages.ts';
import { isMap } from './metadata.ts';

/**
 * The older way to write an alert, in snake case: `{type:"anomaly_detected", user_id, stream_id, result:{classification, confidence, …}, annotated_frame?, frame_format?}`.
 * Read as an alert, all of it but the stream lies in `metadata.anomaly`; written from one, it comes out of there again.
 */
export const ANOMALY_TYPE = 'anomaly_detected';

/** An alert in the older words, as it is sent. */
export interface Anomaly {
  type: typeof ANOMALY_TYPE;
  user_id: string;
  stream_id: string;
  [field: string]: unknown;
}

/** An alert's severity in the older words, and the other way. */
const CONFIDENCES = { low: 'Low', medium: 'Medium', high: 'High', critical: 'Critical' } as const;

type Severity = DeliveredAlert['severity'];

/**
 * The fields of an alert, still to be checked like those of any other. The stream may be named in camel case, too: the router itself does that for a service that was
 * asked about one stream and need not repeat which.
 * @throws ProtocolError `INVALID_MESSAGE` without a `result`.
 */
export function alertFieldsOf(anomaly: Record<string, unknown>): Record<string, unknown> {
  const { type: _type, stream_id, streamId, id, severity, message, metadata, timestamp, ...rest } = anomaly;
  const { result } = rest;
  if (!isMap(result)) throw invalid('result: required, a map');
  return {
    streamId: stream_id ?? streamId,
    id,
    severity: severity ?? severityOf(result['confidence']),
    message: message ?? messageOf(result),
    metadata: { ...(isMap(metadata) ? metadata : {}), anomaly: rest },
    timestamp,
    // It stays in the rest, too: a delivered alert has no such field that it could come back from.
    seq: isFrameNumber(rest['seq']) ? rest['seq'] : undefined,
  };
}

/** The same alert in the older words, with its own beside them: clients ignore what they do not know. `userId`: the stream's owner. */
export function anomalyOf(alert: DeliveredAlert, userId: string): Anomaly {
  const { type: _type, streamId, metadata, ...own } = alert;
  const { anomaly, ...others } = metadata;
  const known = isMap(anomaly) ? anomaly : {};
  const result = { classification: own.message, confidence: CONFIDENCES[own.severity], is_abnormal: true };
  return {
    result,
    ...known,
    ...own,
    metadata: others,
    type: ANOMALY_TYPE,
    user_id: userId,
    stream_id: streamId,
  };
}

/** What an older service counts otherwise, from 0 perhaps, is no reason to refuse its alert. */
function isFrameNumber(seq: unknown): seq is number {
  return Number.isSafeInteger(seq) && (seq as number) >= 1;
}

function severityOf(confidence: unknown): Severity {
  const severities = Object.keys(CONFIDENCES) as Severity[];
  return severities.find((severity) => CONFIDENCES[severity] === confidence) ?? 'medium';
}

function messageOf({ classification, person_id: person }: Record<string, unknown>): string {
  const what = typeof classification === 'string' && classification !== '' ? classification : 'Anomaly';
  return typeof person === 'number' || typeof person === 'string' ? `${what}, person ${person}` : what;
}
