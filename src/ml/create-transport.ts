import { createHttpTransport, type HttpTransportParts } from './http-transport.ts';
import type { MlTransport } from './transport.ts';
import type { WsTransportParts } from './ws-transport.ts';

/** What the transports need, together. */
type TransportParts = Omit<HttpTransportParts, 'url'> & Omit<WsTransportParts, 'url' | 'protocol'>;

/** The way to the ML service that its address names. What the others need is not loaded. */
export async function createTransport(
  place: { kind: 'http' | 'ws' | 'redis'; url: string },
  parts: TransportParts,
): Promise<MlTransport> {
  switch (place.kind) {
    case 'http':
      return createHttpTransport({ ...parts, url: place.url });
    case 'ws': {
      const { createWsTransport } = await import('./ws-transport.ts');
      // Nothing can be found out on a WebSocket, and a service that was written for the first router must work as it is.
      const protocol = parts.protocol === 'batch' ? 'batch' : 'single';
      return createWsTransport({ ...parts, url: place.url, protocol });
    }
    case 'redis': {
      const { createRedisTransport } = await import('./redis-transport.ts');
      return createRedisTransport({ ...parts, url: place.url, form: parts.protocol === 'single' ? 'json' : 'binary' });
    }
  }
}
