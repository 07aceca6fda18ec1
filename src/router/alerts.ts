import { ErrorCode, ProtocolError } from '../../proto/errors.ts';
import type { AlertMessage, DeliveredAlert, ReportedAlert } from '../../proto/messages.ts';
import type { AlertHistory } from './alert-history.ts';
import type { AlertListeners } from './alert-listeners.ts';
import { AnomalyMessage } from './anomaly-message.ts';
import type { Counters } from './counters.ts';
import { type Encodable, Outgoing } from './outgoing.ts';
import type { Peer } from './peer.ts';
import type { AlertSink, AnalysedFrame, Clock, DurationSink, EvidenceRoom } from './ports.ts';
import { RecentIds } from './recent-ids.ts';
import type { EncoderLink, Stream } from './stream.ts';
import type { Streams } from './streams.ts';

export interface AlertsParts {
  clock: Clock;
  counters: Counters;
  /** Unique, and later ones sort after earlier ones. */
  newAlertId: () => string;
  history: AlertHistory;
  listeners: AlertListeners;
  /** Every accepted alert goes there, too. */
  sink: AlertSink | undefined;
  evidence: EvidenceRoom;
  /** How old the frame of an alert was when the alert went out. */
  alertDelay?: DurationSink;
}

/** Ids of alerts that the service gave them, remembered to know one that comes again. */
const MAX_REPORTED_IDS = 10_000;

/** Alerts on their way to the encoder of the stream, to every viewer that consumes alerts, and to who listens to all alerts of the stream's owner. */
export class Alerts {
  readonly #streams: Streams;
  readonly #parts: AlertsParts;
  readonly #reported = new RecentIds(MAX_REPORTED_IDS);

  constructor(streams: Streams, parts: AlertsParts) {
    this.#streams = streams;
    this.#parts = parts;
  }

  /**
   * An alert of an encoder about its own stream.
   * @throws ProtocolError `UNAUTHORIZED` unless it registered with `produces: ["alert"]`, `ROUTING_ERROR` for another stream.
   */
  fromEncoder(link: EncoderLink, alert: AlertMessage): void {
    const { stream } = link;
    if (stream === undefined || stream.id !== alert.streamId) {
      this.#parts.counters.alertsRefused += 1;
      throw new ProtocolError(ErrorCode.routingError, `streamId: this connection did not register ${alert.streamId}`);
    }
    if (!link.produces.includes('alert')) {
      this.#parts.counters.alertsRefused += 1;
      throw new ProtocolError(ErrorCode.unauthorized, 'alert: register with produces ["alert"] to send alerts');
    }
    this.#deliver(stream, alert);
  }

  /**
   * An alert of the ML service. One with an id that an alert of this stream had before was delivered already. `frame`: in which it was seen, where that is known.
   * @throws ProtocolError `ROUTING_ERROR` when there is no such stream.
   */
  fromService(alert: ReportedAlert, frame?: AnalysedFrame): void {
    const stream = this.#streams.get(alert.streamId);
    if (stream === undefined) {
      this.#parts.counters.alertsRefused += 1;
      throw new ProtocolError(ErrorCode.routingError, `streamId: no stream ${alert.streamId}`);
    }
    // By the stream, and not its name: ids made of a frame's number begin anew with the next stream of it, and an alert that is lost is worse than one that comes
    // twice, which happens to one that is reported again after its stream ended and began anew.
    if (alert.id !== undefined && !this.#reported.add(`${stream.key} ${alert.id}`)) {
      this.#parts.counters.alertsRepeated += 1;
      return;
    }
    this.#deliver(stream, alert, frame);
  }

  #deliver(stream: Stream, alert: ReportedAlert, frame?: AnalysedFrame): void {
    if (!stream.cooldown.admits(alert.severity, alert.message, this.#parts.clock.monotonicMs())) {
      this.#parts.counters.alertsSuppressed += 1;
      return;
    }
    const message: DeliveredAlert = {
      type: 'alert',
      id: this.#parts.newAlertId(),
      streamId: stream.id,
      severity: alert.severity,
      message: alert.message,
      metadata: alert.metadata ?? {},
      timestamp: alert.timestamp ?? this.#parts.clock.epochMs(),
      ...(frame === undefined ? {} : { frame: this.#aboutFrame(frame) }),
    };
    // Before anybody hears of the alert, and asks for its picture.
    if (frame !== undefined) {
      this.#parts.evidence.keep(message.id, { streamId: stream.id, ownerId: stream.ownerId, jpeg: frame.jpeg });
    }
    const outgoing = new Outgoing(message);
    this.#parts.counters.alertsAccepted += 1;
    this.#parts.history.add(stream.ownerId, message, this.#parts.clock.epochMs(), outgoing);
    this.#parts.sink?.take(message);
    for (const { viewer, wish } of stream.audience.viewings) if (wish.wantsAlerts) this.#send(viewer.peer, outgoing);
    if (stream.encoder?.consumes.includes('alert')) this.#send(stream.encoder.peer, outgoing);
    this.#tellListeners(stream.ownerId, message, outgoing);
  }

  #tellListeners(userId: string, message: DeliveredAlert, outgoing: Outgoing): void {
    const { listeners, evidence } = this.#parts;
    let anomaly: AnomalyMessage | undefined;
    for (const { peer, shape } of listeners.of(userId)) {
      if (shape === 'alert') this.#send(peer, outgoing);
      else {
        anomaly ??= new AnomalyMessage(message, userId, evidence.find(message.id)?.jpeg);
        this.#send(peer, anomaly);
      }
    }
  }

  #aboutFrame({ seq, timestamp, takenAtMs }: AnalysedFrame): NonNullable<DeliveredAlert['frame']> {
    const ageMs = this.#parts.clock.monotonicMs() - takenAtMs;
    this.#parts.alertDelay?.(ageMs);
    const sinceCaptureMs = Math.round(this.#parts.clock.epochMs() - timestamp);
    return { seq, timestamp, ageMs: Math.round(ageMs), sinceCaptureMs };
  }

  #send(peer: Peer, outgoing: Encodable): void {
    if (peer.tell(outgoing)) this.#parts.counters.alertsDelivered += 1;
    else this.#parts.counters.alertsUndelivered += 1;
  }
}
