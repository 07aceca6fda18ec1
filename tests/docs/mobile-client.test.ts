import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { CloseCode } from '../../proto/close-codes.ts';
import type { Account } from '../../src/demo/accounts.ts';
import { jpegOf, openViewer, type TestMessage } from '../support/client.ts';
import { freePort } from '../support/free-port.ts';
import { numberedPicture, pictureNumber } from '../support/pictures.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { SlowLink } from '../support/slow-link.ts';
import { until } from '../support/until.ts';
import { type CreateUplink, run, sourceOf } from './mobile-guide.ts';

const SERVICE_TOKEN = 'the-ml-service-of-the-mobile-guide';

describe('the clients of the mobile guide', () => {
  let port: number;
  let router: TestRouter;
  let account: Account;
  beforeAll(async () => {
    port = await freePort();
    router = await start();
    account = await router.signUp();
  });
  afterAll(() => router.stop());

  /** Of the same users, at the same port. */
  function start(): Promise<TestRouter> {
    return startTestRouter({ env: { PORT: String(port), ML_SERVICE_TOKEN: SERVICE_TOKEN, STREAM_MAX_FPS: '50' } });
  }

  /** What the guide puts together in a component, with a camera that numbers its pictures. */
  function startApp(settings: { streamId?: string } = {}, url = router.wsUrl): App {
    const code = [sourceOf('uplink.js'), sourceOf('camera.js')].join('\n');
    const effect = sourceOf('effect.js').replace("'wss://router.example.com'", 'routerUrl');
    const app: App = {
      taken: 0,
      alerts: [],
      states: [],
      onAppState: () => undefined,
      leave: () => undefined,
    };
    const surroundings = {
      WebSocket,
      console: { warn: () => undefined },
      routerUrl: url,
      session: { token: () => account.token },
      settings,
      showAlert: (severity: string, message: string) => app.alerts.push(`${severity}: ${message}`),
      showState: (state: string, closeCode?: number) =>
        app.states.push(closeCode === undefined ? state : `${state} ${closeCode}`),
      camera: { current: { takePictureAsync: async () => ({ base64: picture().toString('base64') }) } },
      AppState: {
        addEventListener: (_event: string, listener: (state: string) => void) => {
          app.onAppState = listener;
          return { remove: () => undefined };
        },
      },
    };
    function picture(): Buffer {
      app.taken += 1;
      return numberedPicture(app.taken, 2_000);
    }
    app.leave = run(`${code}\n${effect}`, surroundings) as () => void;
    onTestFinished(() => app.leave());
    return app;
  }

  async function streamIdOf(owner: Account): Promise<string> {
    let ids: string[] = [];
    await until('it streams', async () => {
      const { streams } = (await get('/api/streams/list', owner)) as { streams: { id: string; status: string }[] };
      ids = streams.filter(({ status }) => status === 'streaming').map(({ id }) => id);
      return ids.length === 1;
    });
    return ids[0] ?? '';
  }

  async function get(path: string, { token }: Account): Promise<TestMessage> {
    // A connection of before a restart leads nowhere.
    const headers = { authorization: `Bearer ${token}`, connection: 'close' };
    const response = await fetch(router.httpUrl + path, { headers });
    return (await response.json()) as TestMessage;
  }

  async function report(streamId: string, message: string): Promise<void> {
    const response = await fetch(`${router.httpUrl}/alerts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${SERVICE_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ streamId, severity: 'high', message }),
    });
    expect(await response.json()).toEqual({ accepted: 1, refused: [] });
  }

  test('React Native: it streams, hears alerts, sends what is wanted, and comes back after a restart of the router', async () => {
    account = await router.signUp();
    const app = startApp();
    const streamId = await streamIdOf(account);
    expect(app.states).toEqual(['streaming']);

    await report(streamId, 'Person at the gate');
    await until('the alert is shown', () => app.alerts.length === 1);
    expect(app.alerts).toEqual(['high: Person at the gate']);

    const viewer = await openViewer(router.wsUrl, account.token, streamId);
    for (let count = 0; count < 20; count += 1) await viewer.next('video-frame');
    const frames = viewer.messages.filter(({ type }) => type === 'video-frame');
    const numbers = frames.map((frame) => pictureNumber(jpegOf(frame)));
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    expect(numbers[0]).toBeGreaterThan(0);

    await router.stop();
    await until('it waits', () => app.states.length > 1);
    expect(app.states).toEqual(['streaming', `waiting ${CloseCode.serviceRestart}`]);
    router = await start();
    expect(await streamIdOf(account)).toBe(streamId);
    expect(app.states.at(-1)).toBe('streaming');
    await report(streamId, 'Dog');
    await until('the alert is shown', () => app.alerts.at(-1) === 'high: Dog');
    await viewer.close();
  });

  test('React Native: it stops when another device takes the stream over, and goes on when the app is opened again', async () => {
    account = await router.signUp();
    const first = startApp({ streamId: 'shared' });
    await until('the first streams', () => first.states.at(-1) === 'streaming');
    const second = startApp({ streamId: 'shared' });
    await until('the first stops', () => first.states.at(-1) === `stopped ${CloseCode.takenOver}`);
    await until('the second streams', () => second.states.at(-1) === 'streaming');
    const { taken } = first;
    second.onAppState('background');
    await until('nothing is connected', async () => (await router.stats())['totalProducers'] === 0);
    first.onAppState('active');
    await until('it streams again', () => first.states.at(-1) === 'streaming' && first.taken > taken);
    expect(second.states.at(-1)).toBe('streaming');
    first.onAppState('background');
    first.onAppState('active');
    first.onAppState('background');
    first.onAppState('active');
    await until('it streams again', () => first.states.at(-1) === 'streaming');
    await until('there is one connection', async () => (await router.stats())['totalConnections'] === 1);
  });

  test('React Native: it stops when its user signs out', async () => {
    account = await router.signUp();
    const app = startApp();
    await until('it streams', () => app.states.at(-1) === 'streaming');
    account = { ...account, token: 'no-token-of-anybody' };
    await router.stop();
    router = await start();
    await until('it stops', () => app.states.at(-1) === `stopped ${CloseCode.policyViolation}`);
  });

  test('React Native: with a network that takes nothing it has two frames under way, and drops what the camera brings', async () => {
    account = await router.signUp();
    const link = await SlowLink.open(port, Number.POSITIVE_INFINITY);
    onTestFinished(() => link.close());
    const uplink = run(`${sourceOf('uplink.js')}; return createUplink;`, {
      WebSocket,
      console,
    }) as CreateUplink;
    const states: string[] = [];
    const sender = uplink({
      routerUrl: `ws://127.0.0.1:${link.port}`,
      getToken: async () => account.token,
      streamId: 'in-the-tunnel',
      onAlert: () => undefined,
      onState: (state) => states.push(state),
      lostAfterMs: 500,
    });
    onTestFinished(() => sender.stop());
    sender.start();
    await until('it is ready', () => sender.isReady());
    // Answers do not come through any more.
    link.bitsPerSecond = 0.001;
    const base64 = numberedPicture(1, 2_000).toString('base64');
    const isSent = Array.from({ length: 5 }, () => sender.send(base64, Date.now()));
    expect(isSent).toEqual([true, true, false, false, false]);
    await until('it notices', () => states.includes('waiting'));
    link.bitsPerSecond = Number.POSITIVE_INFINITY;
    await until('it streams again', () => states.at(-1) === 'streaming');
    expect(sender.send(base64, Date.now())).toBe(true);
    await until('it is confirmed', () => sender.isReady());
  });

  test('a name that was reserved first is the one that is streamed, and a ticket opens a connection without a header', async () => {
    account = await router.signUp();
    const code = `${sourceOf('reserve.js')}\n${sourceOf('ticket.js')}`;
    const { reserveName, socketWithTicket } = run(`${code}; return { reserveName, socketWithTicket };`, {
      WebSocket,
    }) as Helpers;
    const streamId = await reserveName(router.wsUrl, account.token, 'Front door');
    await expect(reserveName(router.wsUrl, 'no-token-of-anybody', 'Front door')).rejects.toThrow('AUTH_REQUIRED');
    const socket = await socketWithTicket(router.wsUrl, account.token);
    onTestFinished(() => socket.terminate());
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(JSON.stringify({ type: 'register', clientType: 'mobile', streamId }));
    const [answer] = await new Promise<unknown[]>((resolve) => socket.once('message', (...said) => resolve(said)));
    expect(JSON.parse(String(answer))).toEqual(expect.objectContaining({ type: 'success', streamId }));
    const { streams } = await get('/api/streams/list', account);
    expect(streams).toMatchObject([{ id: streamId, deviceName: 'Front door', status: 'online' }]);
  });
});

interface App {
  taken: number;
  alerts: string[];
  states: string[];
  onAppState: (state: string) => void;
  leave: () => void;
}

interface Helpers {
  reserveName: (routerUrl: string, token: string, deviceName: string) => Promise<string>;
  socketWithTicket: (routerUrl: string, token: string) => Promise<WebSocket>;
}
