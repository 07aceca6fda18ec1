import type { ListedRoute } from '../http/routes.ts';
import { ALERT_OPERATIONS } from './alert-operations.ts';
import { CONNECTION_OPERATIONS } from './connection-operations.ts';
import { type BodyName, HTTP_BODIES } from './http-bodies.ts';
import { type Json, jsonSchemasOf, schemaRef } from './json-schemas.ts';
import type { Answer, Operation, Operations, Parameter } from './operation.ts';
import { PICTURE_OPERATIONS } from './picture-operations.ts';
import { STATUS_OPERATIONS } from './status-operations.ts';
import { STREAM_OPERATIONS } from './stream-operations.ts';

/** All that the documents know of; the tests compare it with the routes of a router. */
export const OPERATIONS: Operations = {
  ...STATUS_OPERATIONS,
  ...STREAM_OPERATIONS,
  ...PICTURE_OPERATIONS,
  ...ALERT_OPERATIONS,
  ...CONNECTION_OPERATIONS,
};

const DESCRIPTION = `Live camera frames and alerts: what is beside the WebSockets, which are in \`/asyncapi.json\`.

Errors are JSON, \`{error: {code, message}}\`. What answers \`GET\` answers \`HEAD\` as well, and every path \`OPTIONS\`. An unknown path is 404 \`NOT_FOUND\`, another method 405
\`METHOD_NOT_ALLOWED\` with \`Allow\`, a WebSocket path without an upgrade 426 \`UPGRADE_REQUIRED\`. Pages of the router’s allowed origins may call it. Nothing is cached where no
\`Cache-Control\` is said.`;

/** How the variable parts of a path are called. */
const PATH_PARAMETERS: Readonly<Record<string, Parameter & { name: string }>> = {
  user: { name: 'user_id', description: 'The session’s user', schema: { type: 'string' } },
  stream: { name: 'stream_id', description: 'A stream', schema: { type: 'string' } },
  alert: { name: 'alert_id', description: 'The alert’s `id`', schema: { type: 'string' } },
};

/** The OpenAPI 3.1 document of these routes. `version`: of the router. */
export function openApi(routes: readonly ListedRoute[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = documentedPath(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: describe(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Watchout Stream Router',
      version,
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    // Wherever it was read.
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: jsonSchemasOf(HTTP_BODIES, 'draft-2020-12'),
      responses: RESPONSES,
      securitySchemes: SECURITY_SCHEMES,
    },
  };
}

/** As people write it: `/streams/{stream_id}/snapshot.jpg`. */
export function documentedPath(path: string): string {
  return path.replace(/:(\w+)/g, (_part, name: string) => `{${PATH_PARAMETERS[name]?.name ?? name}}`);
}

function describe(route: ListedRoute): Json {
  const operation = OPERATIONS[`${route.method} ${route.path}`];
  // One that nobody has described yet is there all the same.
  if (operation === undefined) return { responses: { default: RESPONSE_REFS.default } };
  const { id, tag, summary, description, body } = operation;
  const parameters = [
    ...pathParameters(route.path),
    ...asParameters('query', operation.query),
    ...asParameters('header', operation.headers),
  ];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: securityOf(route, operation),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: requestBody(body) }),
    responses: responses(route, operation),
  };
}

function securityOf({ needs }: ListedRoute, { refusesTickets }: Operation): Json[] {
  return SECURITY[needs].filter((requirement) => !(refusesTickets === true && 'ticket' in requirement));
}

function pathParameters(path: string): Json[] {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  return names.map((key) => {
    const { name = key, description = key, schema = { type: 'string' } } = PATH_PARAMETERS[key] ?? {};
    return { name, in: 'path', required: true, description, schema };
  });
}

function asParameters(place: 'query' | 'header', parameters: Readonly<Record<string, Parameter>> = {}): Json[] {
  return Object.entries(parameters).map(([name, parameter]) => ({ name, in: place, ...parameter }));
}

function requestBody({ description, required, content }: NonNullable<Operation['body']>): Json {
  const types = Object.entries(content).map(([type, schema]) => [type, { schema }]);
  return { description, required, content: Object.fromEntries(types) };
}

function responses({ needs, path }: ListedRoute, { answers, errors = {} }: Operation): Json {
  const namesUser = path.includes('/:user');
  const forbidden = error('`UNAUTHORIZED`: the path names another user than the session’s');
  return {
    ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, response(answer)])),
    ...(needs === 'nothing' ? {} : { 401: RESPONSE_REFS.authRequired, 429: RESPONSE_REFS.rateLimited }),
    ...(needs.startsWith('session') ? { 503: RESPONSE_REFS.unavailable } : {}),
    ...(namesUser ? { 403: forbidden } : {}),
    ...Object.fromEntries(Object.entries(errors).map(([status, description]) => [status, error(description)])),
    default: RESPONSE_REFS.default,
  };
}

function response({ description, headers, body, contentType }: Answer): Json {
  const content = contentOf(body, contentType);
  const named = Object.entries(headers ?? {}).map(([name, words]) => [
    name,
    { description: words, schema: { type: 'string' } },
  ]);
  return {
    description,
    ...(named.length === 0 ? {} : { headers: Object.fromEntries(named) }),
    ...(content === undefined ? {} : { content }),
  };
}

function contentOf(body: BodyName | undefined, contentType: string | undefined): Json | undefined {
  if (body !== undefined) return { 'application/json': { schema: schemaRef(body) } };
  return contentType === undefined ? undefined : { [contentType]: {} };
}

function error(description: string): Json {
  return { description, content: { 'application/json': { schema: schemaRef('Error') } } };
}

const RESPONSES = {
  authRequired: error('`AUTH_REQUIRED`: no credentials, or none that are good here'),
  rateLimited: error('`RATE_LIMITED`: too many failed attempts of the address; wait a minute'),
  unavailable: error('`UNAVAILABLE`: sessions cannot be checked now; try again'),
  default: error('`METHOD_NOT_ALLOWED` (405), `INTERNAL_ERROR` (500)'),
};

const RESPONSE_REFS = {
  authRequired: { $ref: '#/components/responses/authRequired' },
  rateLimited: { $ref: '#/components/responses/rateLimited' },
  unavailable: { $ref: '#/components/responses/unavailable' },
  default: { $ref: '#/components/responses/default' },
};

const SECURITY: Readonly<Record<ListedRoute['needs'], Json[]>> = {
  nothing: [],
  session: [{ bearer: [] }, { ticket: [] }, { token: [] }, { cookie: [] }],
  'service token': [{ serviceToken: [] }],
  'session or ops token': [{ bearer: [] }, { ticket: [] }, { token: [] }, { cookie: [] }, { opsToken: [] }],
};

const SECURITY_SCHEMES: Readonly<Record<string, Json>> = {
  bearer: { type: 'http', scheme: 'bearer', description: 'The session’s token, raw or signed' },
  ticket: {
    type: 'apiKey',
    in: 'query',
    name: 'ticket',
    description: 'From `POST /api/tickets`, good for one request within 30 s. Not for that path itself',
  },
  token: { type: 'apiKey', in: 'query', name: 'token', description: 'The session’s token; proxies log it' },
  cookie: {
    type: 'apiKey',
    in: 'cookie',
    name: 'better-auth.session_token',
    description: 'From pages of allowed origins. With HTTPS its name begins with `__Secure-`',
  },
  opsToken: { type: 'http', scheme: 'bearer', description: '`OPS_TOKEN` of the router: for those who run it' },
  serviceToken: { type: 'http', scheme: 'bearer', description: '`ML_SERVICE_TOKEN` of the router' },
};
