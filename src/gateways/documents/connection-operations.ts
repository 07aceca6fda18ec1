import { type connectionsQuery, MAX_ROWS } from '../http/connections-api.ts';
import type { Operations, Parameter } from './operation.ts';

const QUERY: Readonly<Record<keyof typeof connectionsQuery.shape, Parameter>> = {
  limit: {
    description: 'Most connections that are shown',
    schema: { type: 'integer', minimum: 1, maximum: MAX_ROWS, default: 200 },
  },
};

export const CONNECTION_OPERATIONS: Operations = {
  'GET /api/connections': {
    id: 'listConnections',
    tag: 'Connections',
    summary: 'Who is connected, and which of them are slow',
    description:
      'The session’s own connections, and those of others that watch a stream of its user: of these only what they watch there. With `OPS_TOKEN` all there are. Counts are those of the connection’s life: two answers tell what happens in a second.',
    query: QUERY,
    answers: { 200: { description: 'The slowest first', body: 'ConnectionTable' } },
    errors: { 400: '`INVALID_MESSAGE`: the message says which parameter' },
  },
};
