import type { Router } from './router.ts';

/** The five fields that clients of the first router read from `/stats` and `/health`. */
export interface ConnectionStats {
  /** Streams with an encoder connected. */
  totalProducers: number;
  /** Subscriptions to frames of live streams. */
  totalVideoConsumers: number;
  /** Subscriptions to alerts of live streams, who listens to all alerts of a live stream's owner, and encoders that consume alerts. */
  totalAlertConsumers: number;
  /** Open WebSocket connections whose session was found good, and requests that last like them. */
  totalConnections: number;
  /** Ids of all live streams, those in their grace included. */
  activeStreams: string[];
}

export function connectionStats(router: Router, totalConnections: number): ConnectionStats {
  const stats: ConnectionStats = {
    totalProducers: 0,
    totalVideoConsumers: 0,
    totalAlertConsumers: 0,
    totalConnections,
    activeStreams: [],
  };
  for (const stream of router.streams.all) {
    stats.activeStreams.push(stream.id);
    if (stream.encoder !== undefined) stats.totalProducers += 1;
    if (stream.encoder?.consumes.includes('alert')) stats.totalAlertConsumers += 1;
    stats.totalAlertConsumers += router.listeners.of(stream.ownerId).size;
    for (const viewing of stream.audience.viewings) {
      if (viewing.wish.wantsFrames) stats.totalVideoConsumers += 1;
      if (viewing.wish.wantsAlerts) stats.totalAlertConsumers += 1;
    }
  }
  return stats;
}

/** What became of frames, alerts and messages since the start: names and units as `/stats` documents them. */
export function trafficStats({ counters, reservations }: Router) {
  const { notYours, rate } = counters.framesRejected;
  const { offered, delivered, dropped, inFlight } = counters.frames;
  return {
    frames: {
      received: counters.framesAccepted + notYours + rate,
      rejected: { ...counters.framesRejected },
      offered,
      delivered,
      dropped: { ...dropped },
      inFlight,
    },
    alerts: {
      accepted: counters.alertsAccepted,
      refused: counters.alertsRefused,
      suppressed: counters.alertsSuppressed,
      repeated: counters.alertsRepeated,
      delivered: counters.alertsDelivered,
      undelivered: counters.alertsUndelivered,
      replayed: counters.alertsReplayed,
    },
    messages: { invalid: counters.messagesInvalid, unauthorized: counters.unauthorized },
    streams: { refused: counters.streamsRefused, reserved: reservations.size },
    viewers: { refused: counters.viewersRefused },
  };
}
