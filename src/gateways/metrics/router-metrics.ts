import type { ReadMetrics } from './read-metrics.ts';
import type { MlStats, Stats, WebhookStats } from './stats.ts';

/**
 * What `/stats` says, under the names that Prometheus and its users expect. Values of `cause` are the names that `/stats` has: who finds
 * `connections.refused.perUser` in docs/OPERATING.md finds it in a graph as well.
 */

const BREAKER_STATES = ['closed', 'half-open', 'open'] as const;

export function addConnections(metrics: ReadMetrics<Stats>): void {
  metrics.gauge(
    'watchout_connections',
    'Open WebSockets, and requests that last, whose session was found good',
    ({ totalConnections }) => totalConnections,
  );
  metrics.counterBy(
    'cause',
    'watchout_connections_refused_total',
    'Connections and requests turned away',
    ({ connections }) => connections.refused,
  );
  metrics.counter(
    'watchout_session_lookups_total',
    'Times the session database was asked because somebody came',
    ({ sessions }) => sessions.lookUps,
  );
  metrics.counter(
    'watchout_sessions_ended_total',
    'Sessions found ended while their connections were open',
    ({ sessions }) => sessions.ended,
  );
  metrics.counterBy(
    'cause',
    'watchout_messages_refused_total',
    'Messages that were malformed, and messages and requests for what is another user’s',
    ({ messages }) => messages,
  );
}

export function addStreams(metrics: ReadMetrics<Stats>): void {
  metrics.gauge(
    'watchout_streams',
    'Live streams, those in their grace included',
    ({ activeStreams }) => activeStreams.length,
  );
  metrics.gauge('watchout_encoders', 'Streams with an encoder connected', ({ totalProducers }) => totalProducers);
  metrics.gauge(
    'watchout_frame_subscriptions',
    'Subscriptions to frames of live streams',
    ({ totalVideoConsumers }) => totalVideoConsumers,
  );
  metrics.gauge(
    'watchout_alert_subscriptions',
    'Subscriptions to alerts of live streams, and encoders that consume alerts',
    ({ totalAlertConsumers }) => totalAlertConsumers,
  );
  metrics.counter(
    'watchout_streams_refused_total',
    'Registrations over the limit of a user',
    ({ streams }) => streams.refused,
  );
  metrics.gauge(
    'watchout_streams_reserved',
    'Names that are kept for their users, live ones among them',
    ({ streams }) => streams.reserved,
  );
  metrics.counter(
    'watchout_viewers_refused_total',
    'Subscriptions over the limit of a stream',
    ({ viewers }) => viewers.refused,
  );
}

export function addFrames(metrics: ReadMetrics<Stats>): void {
  metrics.counter('watchout_frames_received_total', 'Frames that encoders sent', ({ frames }) => frames.received);
  metrics.counterBy(
    'cause',
    'watchout_frames_rejected_total',
    'Frames of encoders that were not taken',
    ({ frames }) => frames.rejected,
  );
  metrics.counter(
    'watchout_frames_offered_total',
    'One for each viewer that a frame was there for: all of them are delivered, dropped or in flight',
    ({ frames }) => frames.offered,
  );
  metrics.counter(
    'watchout_frames_delivered_total',
    'Offered frames that were acknowledged by a viewer with a window, or taken by the socket of another',
    ({ frames }) => frames.delivered,
  );
  metrics.counterBy(
    'cause',
    'watchout_frames_dropped_total',
    'Offered frames that a viewer did not get',
    ({ frames }) => frames.dropped,
  );
  metrics.gauge(
    'watchout_frames_in_flight',
    'Offered frames on the way to a viewer with a window, or held back until they may be sent',
    ({ frames }) => frames.inFlight,
  );
  metrics.gauge(
    'watchout_newest_frame_age_median_seconds',
    'How old the newest frames of streams were when they came, by their encoders’ clocks: the middle one',
    ({ frameAgeMs }) => frameAgeMs.median / 1000,
  );
  metrics.gauge(
    'watchout_newest_frame_age_worst_seconds',
    'The same, of the stream whose frames are oldest',
    ({ frameAgeMs }) => frameAgeMs.worst / 1000,
  );
}

export function addAlerts(metrics: ReadMetrics<Stats>): void {
  metrics.counter(
    'watchout_alerts_accepted_total',
    'Alerts of the ML service and of encoders that went out',
    ({ alerts }) => alerts.accepted,
  );
  metrics.counter(
    'watchout_alerts_refused_total',
    'Alerts of no live stream, or of another’s',
    ({ alerts }) => alerts.refused,
  );
  metrics.counter(
    'watchout_alerts_suppressed_total',
    'Alerts within the cooldown of the same one',
    ({ alerts }) => alerts.suppressed,
  );
  metrics.counter(
    'watchout_alerts_repeated_total',
    'Alerts that came again with the same id',
    ({ alerts }) => alerts.repeated,
  );
  metrics.counter(
    'watchout_alerts_delivered_total',
    'One for each alert and peer: sent, or waiting to be sent',
    ({ alerts }) => alerts.delivered,
  );
  metrics.counter(
    'watchout_alerts_undelivered_total',
    'One for each alert and peer that was too far behind: it is closed, and asks again when it comes back',
    ({ alerts }) => alerts.undelivered,
  );
  metrics.counter(
    'watchout_alerts_replayed_total',
    'Missed alerts that were sent again on demand',
    ({ alerts }) => alerts.replayed,
  );
}

export function addMl(metrics: ReadMetrics<MlStats>): void {
  metrics.counter('watchout_ml_frames_sampled_total', 'Frames taken aside for the ML service', (ml) => ml.sampled);
  metrics.counter('watchout_ml_frames_sent_total', 'Sampled frames that went out', (ml) => ml.sent);
  metrics.counterBy(
    'cause',
    'watchout_ml_frames_dropped_total',
    'Sampled frames that were not analysed: a newer one took the place, they were too old, or their request failed',
    (ml) => ml.dropped,
  );
  metrics.gauge(
    'watchout_ml_streams_waiting',
    'Streams whose newest frame waits for a request: the length of the queue',
    (ml) => ml.waiting,
  );
  metrics.counter('watchout_ml_requests_total', 'Requests to the ML service', (ml) => ml.requests);
  metrics.counter('watchout_ml_requests_failed_total', 'Requests that failed', (ml) => ml.failedRequests);
  metrics.gauge('watchout_ml_requests_in_flight', 'Requests under way', (ml) => ml.inFlight);
  metrics.counter(
    'watchout_ml_alerts_accepted_total',
    'Alerts of the ML service that were understood',
    (ml) => ml.alerts.accepted,
  );
  metrics.counter(
    'watchout_ml_alerts_refused_total',
    'Alerts of the ML service that were malformed, or of no live stream',
    (ml) => ml.alerts.refused,
  );
  metrics.gaugeBy(
    'state',
    'watchout_ml_breaker_state',
    '1 for the state of the circuit breaker: open while a service that keeps failing is left alone',
    (ml) => Object.fromEntries(BREAKER_STATES.map((state) => [state, Number(ml.breaker === state)])),
  );
  metrics.gauge(
    'watchout_ml_connected',
    '1 while the connection to the ML service stands; always over HTTP, which keeps none',
    (ml) => Number(ml.connected),
  );
}

export function addWebhook(metrics: ReadMetrics<WebhookStats>): void {
  metrics.gauge(
    'watchout_webhook_alerts_queued',
    'Alerts that wait for the service that keeps them; at most 1,000',
    (webhook) => webhook.queued,
  );
  metrics.gauge('watchout_webhook_alerts_in_flight', 'Alerts on the way to it', (webhook) => webhook.inFlight);
  metrics.counter('watchout_webhook_alerts_delivered_total', 'Alerts it took', (webhook) => webhook.delivered);
  metrics.counter(
    'watchout_webhook_retries_total',
    'Attempts after the first of an alert',
    (webhook) => webhook.retries,
  );
  metrics.counterBy(
    'cause',
    'watchout_webhook_alerts_dropped_total',
    'Alerts it will not get',
    (webhook) => webhook.dropped,
  );
}
