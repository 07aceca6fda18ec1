import { CloseCode } from '../../../proto/close-codes.ts';
import { SUBPROTOCOLS } from '../../../proto/codec.ts';
import { ErrorCode } from '../../../proto/errors.ts';
import { DOOR_PATHS, type Door } from '../websocket/doors.ts';
import { CLIENT_MESSAGES } from './client-messages.ts';
import { CLOSE_HELP, ERROR_HELP, mayReconnectAfter } from './codes.ts';
import { type Json, jsonSchemasOf, schemaRef, withWords } from './json-schemas.ts';
import { anomalyMessage, serverMessages } from './server-messages.ts';

type ClientName = keyof typeof CLIENT_MESSAGES | 'video-frame-msgpack';
type RouterName = keyof typeof serverMessages | 'video-frame' | 'video-frame-msgpack' | 'anomaly_detected';

/** What is said at a door: by clients, and by the router. */
interface Conversation {
  title: string;
  summary: string;
  receives: readonly ClientName[];
  sends: readonly RouterName[];
}

const FRAMES = ['video-frame', 'video-frame-msgpack'] as const;
const ENCODER_SAYS = ['auth', 'register', ...FRAMES, 'alert', 'heartbeat'] as const;
const VIEWER_SAYS = ['auth', 'subscribe', 'unsubscribe', 'ack', 'heartbeat'] as const;
const EVERYBODY_HEARS = ['error', 'heartbeat', 'going-away'] as const;
const ENCODER_HEARS = ['success', 'throttle', 'alert', ...EVERYBODY_HEARS] as const;
const VIEWER_HEARS = ['success', 'status', ...FRAMES, 'alert', ...EVERYBODY_HEARS] as const;

const CONVERSATIONS: Readonly<Record<Door['kind'], Conversation>> = {
  encoder: {
    title: 'Encoders',
    summary: 'Phones and cameras: register a stream, then send its frames',
    receives: ENCODER_SAYS,
    sends: ENCODER_HEARS,
  },
  viewer: {
    title: 'Viewers',
    summary: 'Dashboards: subscribe to streams, then get their frames and alerts',
    receives: VIEWER_SAYS,
    sends: VIEWER_HEARS,
  },
  either: {
    title: 'Encoders, viewers and ML services',
    summary:
      'The first `register` or `subscribe` says what the connection is for. Who says nothing for a second hears the alerts of their user',
    receives: [...new Set([...ENCODER_SAYS, ...VIEWER_SAYS, 'service-alert' as const])],
    sends: [...new Set([...ENCODER_HEARS, ...VIEWER_HEARS])],
  },
  alerts: {
    title: 'Alerts of a user',
    summary: 'All alerts of the user’s streams, in the older words. The user must be the session’s',
    receives: ['auth', 'heartbeat'],
    sends: ['anomaly_detected', ...EVERYBODY_HEARS],
  },
};

const DESCRIPTION = `Live camera frames and alerts over WebSocket. The whole protocol, with its dialogues, is in \`proto/PROTOCOL.md\`; HTTP is in \`/openapi.json\`.

Every message is one map with a \`type\`: a text message is JSON, a binary message is MessagePack, with the same fields. Only the \`data\` of a frame differs:
base64 text in JSON, \`bin\` in MessagePack. Subprotocols: ${Object.keys(SUBPROTOCOLS).join(', ')}. Without one the router answers in the encoding of the client’s first message.
Clients ignore fields and types that they do not know.`;

/** The AsyncAPI 3.0 document of the WebSocket doors. `version`: of the router. */
export function asyncApi(version: string): Json {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Watchout Stream Router, WebSocket',
      version,
      description: DESCRIPTION,
      license: { name: 'MIT' },
      'x-error-codes': Object.values(ErrorCode).map((code) => ({ code, whatToDo: ERROR_HELP[code] })),
      'x-close-codes': closeCodes(),
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(DOOR_PATHS.map((door) => [channelName(door.path), channel(door)])),
    operations: Object.fromEntries(DOOR_PATHS.flatMap(({ path, kind }) => operations(channelName(path), kind))),
    components: { messages: messages(), schemas: schemas(), securitySchemes: SECURITY_SCHEMES },
  };
}

function closeCodes(): Json[] {
  const names = Object.keys(CloseCode) as (keyof typeof CloseCode)[];
  return names.map((name) => {
    const code = CloseCode[name];
    return { code, name, whatToDo: CLOSE_HELP[name], reconnect: mayReconnectAfter(code) };
  });
}

/** No slash in it: others point to it. */
function channelName(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && !part.startsWith(':'));
  return parts.join('.');
}

function channel({ path, kind }: (typeof DOOR_PATHS)[number]): Json {
  const { title, summary, receives, sends } = CONVERSATIONS[kind];
  const names = [...receives.map(clientName), ...sends.map(routerName)];
  const since = { type: 'string', description: 'Id of the last alert that was heard: later ones are sent again' };
  const query = { properties: { ...CREDENTIALS, ...(kind === 'alerts' ? { since } : {}) } };
  return {
    address: path.replace(':user', '{user_id}'),
    title,
    summary,
    messages: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }])),
    ...(kind === 'alerts' ? { parameters: { user_id: { description: 'The session’s user' } } } : {}),
    bindings: { ws: { method: 'GET', query: { type: 'object', ...query }, bindingVersion: '0.1.0' } },
  };
}

function operations(name: string, kind: Door['kind']): [string, Json][] {
  const { title, receives, sends } = CONVERSATIONS[kind];
  const refs = (names: readonly string[]) =>
    names.map((message) => ({ $ref: `#/channels/${name}/messages/${message}` }));
  const security = Object.keys(SECURITY_SCHEMES).map((scheme) => ({ $ref: `#/components/securitySchemes/${scheme}` }));
  const common = { channel: { $ref: `#/channels/${name}` }, security };
  return [
    [
      `${name}.receive`,
      { action: 'receive', title: `${title}: what clients say`, ...common, messages: refs(receives.map(clientName)) },
    ],
    [
      `${name}.send`,
      { action: 'send', title: `${title}: what the router says`, ...common, messages: refs(sends.map(routerName)) },
    ],
  ];
}

function clientName(name: ClientName): string {
  return `client.${name}`;
}

function routerName(name: RouterName): string {
  return `router.${name}`;
}

function messages(): Record<string, Json> {
  const ofClients = Object.entries(CLIENT_MESSAGES).map(([key, { summary, example }]) => {
    const name = clientName(key as ClientName);
    return [name, { ...message(name, example['type'], summary), examples: [{ payload: example }] }];
  });
  const ofRouter = Object.keys({ ...serverMessages, anomaly_detected: anomalyMessage }).map((key) => {
    const name = routerName(key as RouterName);
    return [name, message(name, key, ROUTER_SUMMARIES[key as keyof typeof ROUTER_SUMMARIES])];
  });
  const asSent = 'One picture, as its encoder sent it, with all of its fields';
  return {
    ...Object.fromEntries([...ofClients, ...ofRouter]),
    [routerName('video-frame')]: message(clientName('video-frame'), 'video-frame', `${asSent}, as JSON text`),
    [clientName('video-frame-msgpack')]: frameInMsgpack('One picture, as MessagePack. There is no answer'),
    [routerName('video-frame-msgpack')]: frameInMsgpack(`${asSent}, as MessagePack`),
  };
}

const ROUTER_SUMMARIES: Readonly<Record<keyof typeof serverMessages | 'anomaly_detected', string>> = {
  success: 'The answer to `auth`, `register`, `subscribe` and `unsubscribe`',
  error: 'Something was refused',
  status: 'The state of a stream, to its viewers: after `subscribe`, and whenever it changes',
  throttle: 'To encoders that understand it: how many frames a second make sense',
  heartbeat: 'Every 30 s to clients that understand it, and the answer to a client’s',
  'going-away': 'The router shuts down, to clients that understand it. A close with 1012 follows',
  alert: 'Something was seen',
  anomaly_detected: 'An alert in the older words, with the picture in which it was seen where that is known',
};

function message(schema: string, type: unknown, summary: string): Json {
  return { name: type, title: type, summary, contentType: 'application/json', payload: schemaRef(schema) };
}

function frameInMsgpack(summary: string): Json {
  const payload = schemaRef('client.video-frame-msgpack');
  return { name: 'video-frame', title: 'video-frame', summary, contentType: 'application/msgpack', payload };
}

function schemas(): Record<string, Json> {
  const ofClients = Object.entries(CLIENT_MESSAGES);
  const generated = jsonSchemasOf(
    {
      ...Object.fromEntries(ofClients.map(([key, { schema }]) => [clientName(key as ClientName), schema])),
      ...Object.fromEntries(Object.entries(serverMessages).map(([key, schema]) => [`router.${key}`, schema])),
      [routerName('anomaly_detected')]: anomalyMessage,
    },
    'draft-7',
  );
  for (const [key, { fields }] of ofClients) {
    const name = clientName(key as ClientName);
    generated[name] = withWords(generated[name] ?? {}, fields);
  }
  const frame = generated[clientName('video-frame')] ?? {};
  const data = { description: 'The JPEG, as `bin`: it starts with FF D8' };
  const properties = { ...(frame['properties'] as Json), data };
  return { ...generated, [clientName('video-frame-msgpack')]: { ...frame, properties } };
}

const CREDENTIALS = {
  ticket: { type: 'string', description: 'From `POST /api/tickets`: good for one connection within 30 s' },
  token: { type: 'string', description: 'The session’s token' },
};

const SECURITY_SCHEMES: Readonly<Record<string, Json>> = {
  bearer: { type: 'http', scheme: 'bearer', description: 'The session’s token, raw or signed' },
  ticket: { type: 'httpApiKey', in: 'query', name: 'ticket', description: CREDENTIALS.ticket.description },
  token: { type: 'httpApiKey', in: 'query', name: 'token', description: CREDENTIALS.token.description },
  cookie: {
    type: 'httpApiKey',
    in: 'cookie',
    name: 'better-auth.session_token',
    description: 'From pages of allowed origins. With HTTPS its name begins with `__Secure-`',
  },
};
