import { ErrorCode, invalid, ProtocolError } from '../../../proto/errors.ts';
import type { AuthMessage, ControlMessage, ReportedAlert, ServiceAlert } from '../../../proto/messages.ts';
import { Outgoing } from '../../router/outgoing.ts';
import type { Peer } from '../../router/peer.ts';
import type { Clock } from '../../router/ports.ts';
import type { Router } from '../../router/router.ts';
import type { EncoderLink } from '../../router/stream.ts';
import type { Viewer } from '../../router/viewer.ts';

/** All but `auth`, which is a matter of the door. */
export type RoutedMessage = Exclude<ControlMessage | ServiceAlert, AuthMessage>;

/** Takes an alert of the ML service. @throws ProtocolError when it is refused. */
export type TakeReport = (alert: ReportedAlert) => void;

/**
 * One control message of an encoder.
 * @throws ProtocolError when it is refused.
 */
export function handleEncoderMessage(router: Router, clock: Clock, link: EncoderLink, message: RoutedMessage): void {
  switch (message.type) {
    case 'register': {
      const stream = router.streams.register(link, message);
      const { id: streamId, resumeToken } = stream;
      const text = `Registration successful. Stream ID: ${streamId}`;
      const timestamp = clock.epochMs();
      link.peer.tell(new Outgoing({ type: 'success', message: text, streamId, resumeToken, timestamp }));
      router.streams.askForWhatIsWanted(stream);
      return;
    }
    case 'alert':
      router.alerts.fromEncoder(link, message);
      return;
    case 'heartbeat':
      answerHeartbeat(link.peer, clock);
      return;
    case 'subscribe':
    case 'unsubscribe':
    case 'ack':
      throw invalid(
        `type: ${message.type} belongs on /streams/subscribe, or another connection to /ws: this is an encoder`,
      );
  }
}

/**
 * One control message of a viewer. `report`: where alerts of the ML service go that watches as a client.
 * @throws ProtocolError when it is refused.
 */
export function handleViewerMessage(
  router: Router,
  clock: Clock,
  viewer: Viewer,
  message: RoutedMessage,
  report: TakeReport,
): void {
  switch (message.type) {
    case 'subscribe':
      if (viewer.isService !== (message.clientType === 'ml-service')) {
        throw invalid('clientType: as in the first subscribe of this connection');
      }
      viewer.peer.learns(message.understands);
      router.viewers.subscribe(viewer, message);
      return;
    case 'unsubscribe':
      router.viewers.unsubscribe(viewer, message.streamId);
      return;
    case 'ack':
      router.viewers.acknowledge(viewer, message);
      return;
    case 'heartbeat':
      answerHeartbeat(viewer.peer, clock);
      return;
    case 'alert':
      if (!viewer.isService) throw new ProtocolError(ErrorCode.unauthorized, 'alert: a dashboard may not send alerts');
      report(message);
      return;
    case 'register':
      throw invalid('type: register belongs on /streams/register, or another connection to /ws: this is a viewer');
  }
}

/**
 * One control message of a connection that has not said yet what it is for.
 * @throws ProtocolError when it is refused.
 */
export function handleOpenMessage(clock: Clock, peer: Peer, { type }: RoutedMessage): void {
  if (type !== 'heartbeat') throw invalid(`type: ${type} comes after register or subscribe`);
  answerHeartbeat(peer, clock);
}

/** One control message of who only listens to alerts. */
export function handleListenerMessage(clock: Clock, peer: Peer, { type }: RoutedMessage): void {
  if (type === 'heartbeat') answerHeartbeat(peer, clock);
}

/** The client measures its round trip with it. */
function answerHeartbeat(peer: Peer, clock: Clock): void {
  peer.tell(new Outgoing({ type: 'heartbeat', timestamp: clock.epochMs() }));
}
