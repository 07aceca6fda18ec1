import type { Operation, Operations } from './operation.ts';

const STATS: Omit<Operation, 'id'> = {
  tag: 'Status',
  summary: 'What is connected, what was dropped, and why',
  answers: { 200: { description: 'Counted since the start', body: 'Stats' } },
};

function page(id: string, summary: string, contentType: string): Operation {
  return { id, tag: 'Pages', summary, answers: { 200: { description: 'The file', contentType } } };
}

function document(id: string, summary: string): Operation {
  const headers = { etag: 'Of this version: with it in `If-None-Match` the answer is 304 while nothing has changed' };
  const answer = { description: 'The document', contentType: 'application/json', headers };
  return {
    id,
    tag: 'Documents',
    summary,
    headers: { 'if-none-match': { description: 'The `ETag` of the copy that is there', schema: { type: 'string' } } },
    answers: { 200: answer, 304: { description: 'It has not changed' } },
  };
}

export const STATUS_OPERATIONS: Operations = {
  'GET /health': {
    id: 'showHealth',
    tag: 'Status',
    summary: 'Whether it works, and five counts',
    answers: {
      200: { description: 'It works', body: 'Health' },
      503: { description: 'It shuts down', body: 'Health' },
    },
  },
  'GET /health/live': {
    id: 'isLive',
    tag: 'Status',
    summary: 'For the orchestrator: the process answers',
    answers: { 200: { description: 'It does', body: 'Live' } },
  },
  'GET /health/ready': {
    id: 'isReady',
    tag: 'Status',
    summary: 'For the orchestrator: whether to send it new clients',
    answers: {
      200: { description: 'It takes them', body: 'Ready' },
      503: { description: 'It shuts down', body: 'Ready' },
    },
  },
  'GET /stats': { id: 'showStats', ...STATS },
  'GET /api/stats': { id: 'showStatsToo', ...STATS, description: 'The same as `/stats`.' },
  'GET /metrics': {
    id: 'showMetrics',
    tag: 'Status',
    summary: 'The same and more for Prometheus',
    answers: { 200: { description: 'Its text format', contentType: 'text/plain' } },
  },
  'GET /openapi.json': document('showOpenApi', 'This document'),
  'GET /asyncapi.json': document('showAsyncApi', 'The WebSocket doors, as AsyncAPI 3.0'),
  'GET /': page('showWall', 'The wall of live streams, and their alerts', 'text/html'),
  'GET /ops': page('showOps', 'What the router does, and which connections are slow', 'text/html'),
  'GET /camera': page('showCamera', 'Makes a camera of a phone or a laptop', 'text/html'),
  'GET /assets/:file': {
    id: 'showAsset',
    tag: 'Pages',
    summary: 'A script, a style or a picture of these pages',
    answers: { 200: { description: 'The file. Its name changes with what is in it', contentType: '*/*' } },
    errors: { 404: '`NOT_FOUND`: no such file, the page that names it is of another version' },
  },
};
