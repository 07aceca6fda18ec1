/** The documents that the original clients were written by, and written in. */
export const DOCUMENTS = {
  readme: 'README-original.md',
  api: 'STREAM_ROUTER_API.md',
  guide: 'WEBRTC_ALERTS_FRONTEND_GUIDE.md',
  firstServer: 'WEBSOCKET_IMPLEMENTATION.md',
  roadMap: 'WS_TODOS.md',
} as const;

type DocumentName = keyof typeof DOCUMENTS;

/** One sample of the original documents, or several that are one conversation. */
export interface Sample {
  documents: readonly DocumentName[];
  /** What it is, in our words. */
  what: string;
  /** Where it is played. `here`: by `play` in this folder, as a test of that name, which says what its user would notice. `elsewhere`: by an older test. */
  played: { at: 'here'; notices: string } | { at: 'elsewhere'; file: string; title: string };
}

function here(documents: readonly DocumentName[], what: string, notices: string): Sample {
  return { documents, what, played: { at: 'here', notices } };
}

function elsewhere(documents: readonly DocumentName[], what: string, file: string, title: string): Sample {
  return { documents, what, played: { at: 'elsewhere', file, title } };
}

const HTTP = 'tests/e2e/http.test.ts';
const MAIN_JOB = 'tests/e2e/main-job.test.ts';

/** Every sample there is, by a name of its own. */
export const SAMPLES = {
  commands: here(
    ['readme', 'api', 'firstServer'],
    'to install, configure, start and try the server',
    'an operator finds the commands to start, to develop and to try it out, and the variables to fill in; under --watch the demo comes up, too',
  ),
  environment: here(
    ['readme', 'api'],
    'the variables of an .env file',
    'an operator’s old .env file is good but for the secret, which is asked for by name',
  ),
  health: elsewhere(
    ['readme', 'api', 'firstServer'],
    'GET /health',
    HTTP,
    '/health has the original shape and counts what is connected',
  ),
  stats: elsewhere(
    ['readme', 'api', 'firstServer'],
    'GET /stats',
    HTTP,
    '/stats has the original five fields at the top, and what became of frames beside them',
  ),
  'health by curl': here(['api'], 'curl', 'a shell script sees by curl that the router is healthy'),

  'phone by message': here(
    ['api'],
    'connecting, register, success, video-frame, one by one',
    'a phone that names its stream keeps the name, and its frame arrives field for field',
  ),
  'dashboard by message': here(
    ['api'],
    'connecting, subscribe, success, video-frame, alert, one by one',
    'a dashboard is told that it watches, then what the stream does, then its frames and alerts, field for field',
  ),
  'shapes of messages': here(
    ['api'],
    'the types of all messages, statuses and error codes',
    'every status, severity and error code comes with the fields that the types promise',
  ),
  'phone outside of browsers': here(
    ['api'],
    'the mobile client, as React Native runs it',
    'a phone outside of browsers finds its id in the words of the answer, streams, and shows an alert',
  ),
  'phone and web app': elsewhere(
    ['api'],
    'the mobile client and the subscriber of the web app',
    'tests/interop/browser.test.ts',
    'the original phone and web app clients, run in pages, show the picture and both hear the alert',
  ),
  'React viewer with a token': here(
    ['api'],
    'a hook and a player that show one stream',
    'a React page says that it waits, then shows the moving picture, and lets go when it is left',
  ),
  'ML service over HTTP': elsewhere(
    ['api'],
    'the router posts frames, the service answers with alerts',
    'tests/interop/python.test.ts',
    'its alert reaches the phone and the dashboard, and it is shown the very pictures the phone sent',
  ),
  'ML service over HTTP, FastAPI': elsewhere(
    ['api'],
    'the same with the framework it was written for',
    'tests/interop/ml-example.test.ts',
    'over HTTP, %s: a viewer is told of people, where they are, and in which picture',
  ),
  'ML service over a WebSocket': elsewhere(
    ['api'],
    'the router connects to the service',
    'tests/ml/ws-transport.test.ts',
    'the original Python service sees the very pictures, and its alerts come back',
  ),
  'ML service behind a queue': here(
    ['api'],
    'frames and alerts through Redis, as JSON',
    'an ML service that reads JSON from a queue sees the picture, and phone and dashboard hear its alert',
  ),

  'phone at one door': here(
    ['firstServer'],
    'the mobile client at /ws, with user and token in its first message',
    'a phone at /ws streams at once, without waiting for an answer, and hears of an alert',
  ),
  'dashboard at one door': here(
    ['firstServer'],
    'the dashboard at /ws',
    'a page at /ws shows the moving picture and the alert',
  ),
  'ML service as a client at one door': here(
    ['firstServer'],
    'the ML service at /ws',
    'an ML service at /ws is sent the frames, and phone and dashboard hear its alert, with what it says of it',
  ),
  'all three at one door': here(
    ['firstServer'],
    'frames one way, alerts the other way, statuses as clients come and go',
    'a dashboard that was there first sees the phone come, stream, raise an alert by the ML service, and go',
  ),

  'server’s inside': elsewhere(
    ['firstServer', 'roadMap'],
    'sketches of the server: who is connected, who gets what, what happens when somebody goes',
    MAIN_JOB,
    'a dashboard may open before its camera, and sees it come, stream and go',
  ),
  'frames as text or bytes': elsewhere(
    ['roadMap'],
    'the types of messages, whose data is base64 or binary',
    MAIN_JOB,
    'shows the same picture, byte for byte, to JSON and MessagePack dashboards',
  ),
  'phone that registers over HTTP': here(
    ['roadMap'],
    'POST register, then the WebSocket: the steps for mobile developers',
    'a phone gets its name over HTTP, streams by it at /api/streams/ws, and hears its alerts',
  ),
  'alert history': here(
    ['roadMap'],
    'GET alerts of one stream',
    'a dashboard reads the past alerts of a stream, with all that they say and when they came',
  ),
  'auth message': elsewhere(
    ['roadMap'],
    'signing in by the first message',
    'tests/e2e/one-door.test.ts',
    'auth as the first message leaves it open; then it may %s',
  ),
  'auth message that is no good': elsewhere(
    ['roadMap'],
    'the close code of who may not come in',
    'tests/e2e/in-band-auth.test.ts',
    'a bad token in %s is told AUTH_REQUIRED',
  ),
  'own streams only': elsewhere(
    ['roadMap'],
    'the question whose a stream is',
    MAIN_JOB,
    'nobody takes over, or watches, another user’s stream',
  ),
  'React list of streams': here(
    ['roadMap'],
    'GET list, and the page that shows it',
    'a React page of the router’s own address lists the streams of who is signed in',
  ),
  'React viewer with a cookie': here(
    ['roadMap'],
    'a hook and a player at /api/streams/ws that show no token',
    'a React page that shows no token shows the moving picture of who is signed in',
  ),
  'React alerts': here(
    ['roadMap'],
    'a hook that connects, says nothing, and shows alerts',
    'a React page that only listens pops up an alert',
  ),
  'ML client in Python': here(
    ['roadMap'],
    'websocket-client: subscribe, receive, send alerts without a time',
    'a Python program at /api/streams/ws sees the very pictures, and phone and dashboard hear its alert, which gets a time',
  ),
  pings: elsewhere(
    ['roadMap'],
    'pings every 30 s',
    'tests/e2e/heartbeat.test.ts',
    'a client that answers no ping is closed with 4509, one that does stays',
  ),

  'paths of a user': here(
    ['guide'],
    'the table of paths',
    'a program lists a user’s cameras with what they said of themselves, reads the counts, and ends one camera and all',
  ),
  'offer of a camera': here(
    ['guide'],
    'POST offer and its answer',
    'who offers WebRTC is told in words what to use instead',
  ),
  'alerts of a user': here(
    ['guide'],
    'a user id of the page’s own, and the one WebSocket for all alerts',
    'a page is told of the anomaly with every field that the ML service gave it',
  ),
  'page that adds a camera': here(
    ['guide'],
    'RTCPeerConnection, offer, answer',
    'a page that adds a camera by WebRTC can read why that fails, and does not wait forever',
  ),
  'page with several cameras': here(
    ['guide'],
    'one alerts socket, then one offer after the other',
    'where no camera could be added by WebRTC the page is still told of alerts, of streams that came another way',
  ),
  'page that shows alerts': here(
    ['guide'],
    'picture, person and confidence of an anomaly',
    'a page shows the picture of the alert, whoever drew it',
  ),
  'page that closes cameras': here(
    ['guide'],
    'DELETE of one stream and of all',
    'a page ends one camera and the others go on; then it ends all of them',
  ),
  'page with the client class': here(
    ['guide'],
    'connect, listen, add, remove, disconnect',
    'a page that connects, removes a camera and disconnects touches its own user’s cameras only, and leaves nothing open',
  ),
  'page with a session id': here(
    ['guide'],
    'the way before: an id of the answer in the WebSocket’s path',
    'a page that takes its id from the answer to an offer is told no, by the answer and by the WebSocket',
  ),
} as const satisfies Record<string, Sample>;

export type SampleName = keyof typeof SAMPLES;
