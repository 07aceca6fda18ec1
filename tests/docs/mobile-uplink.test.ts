import { describe, expect, onTestFinished, test } from 'vitest';
import { CloseCode } from '../../proto/close-codes.ts';
import { until } from '../support/until.ts';
import { type CreateUplink, run, sourceOf, type Uplink } from './mobile-guide.ts';

describe('what the React Native client does when', () => {
  /** Connections that are made, and the pauses before them; nothing waits in earnest. */
  function startUplink(): { pauses: number[]; sender: Uplink; next: () => Promise<FakeSocket> } {
    const sockets: FakeSocket[] = [];
    const pauses: number[] = [];
    const create = run(`${sourceOf('uplink.js')}; return createUplink;`, {
      WebSocket: class extends FakeSocket {
        constructor() {
          super();
          sockets.push(this);
        }
      },
      console: { warn: () => undefined },
      // The longest pause it may take.
      Math: { min: Math.min, max: Math.max, random: () => 1 },
      setTimeout: (action: () => void, delayMs: number) => {
        pauses.push(delayMs);
        return setImmediate(action);
      },
      clearTimeout: clearImmediate,
    }) as CreateUplink;
    const sender = create({
      routerUrl: 'ws://router',
      getToken: async () => 'token',
      streamId: 'gate',
      onAlert: () => undefined,
      onState: () => undefined,
    });
    onTestFinished(() => sender.stop());
    sender.start();
    let used = 0;
    const next = async () => {
      await until('it connects', () => sockets.length > used);
      used += 1;
      return sockets[used - 1] as FakeSocket;
    };
    return { pauses, sender, next };
  }

  test('it cannot connect: its pauses double up to half a minute, and begin again after a success', async () => {
    const { pauses, next } = startUplink();
    for (let count = 0; count < 7; count += 1) (await next()).ends(1006);
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    const connected = await next();
    connected.hears({ type: 'success', streamId: 'gate', resumeToken: 'resume' });
    connected.ends(CloseCode.heartbeatMissed);
    expect(pauses.at(-1)).toBe(1_000);
  });

  test('the router goes away: it comes back when it was told to, with its resume token', async () => {
    const { pauses, next } = startUplink();
    const connected = await next();
    connected.opens();
    expect(connected.said).toMatchObject([{ type: 'register', streamId: 'gate', consumes: ['alert'] }]);
    connected.hears({ type: 'success', streamId: 'gate', resumeToken: 'resume' });
    connected.hears({ type: 'going-away', reconnectAfterMs: 4_321 });
    connected.ends(CloseCode.serviceRestart);
    expect(pauses).toEqual([4_321]);
    const again = await next();
    again.opens();
    expect(again.said).toMatchObject([{ type: 'register', streamId: 'gate', resumeToken: 'resume' }]);
  });

  test.each(Object.values(CloseCode))(
    'its connection is closed with %i: it comes back or stops, as the band says',
    async (code) => {
      const { pauses, sender, next } = startUplink();
      (await next()).ends(code);
      const isFinal = code === CloseCode.policyViolation || (code >= 4400 && code <= 4499);
      expect([sender.isRunning(), pauses.length]).toEqual(isFinal ? [false, 0] : [true, 1]);
    },
  );

  test('it is told how much anybody needs: its camera takes so many pictures, and more at once when more are needed', async () => {
    const { sender, next } = startUplink();
    const connected = await next();
    connected.hears({ type: 'throttle', maxFps: 1 });
    expect(sender.maxFps()).toBe(1);

    const runCamera = run(`${sourceOf('camera.js')}; return runCamera;`, { console }) as RunCamera;
    let maxFps = 0.001;
    let looks = 0;
    const sent: string[] = [];
    const uplink = {
      isReady: () => {
        looks += 1;
        return true;
      },
      maxFps: () => maxFps,
      send: (base64: string) => sent.push(base64),
    };
    const stop = runCamera(async () => ({ base64: '/9j/4AAQ' }), uplink);
    onTestFinished(stop);
    await until('it has looked some times', () => looks >= 10);
    expect(sent).toEqual(['/9j/4AAQ']);
    maxFps = 1_000;
    await until('it sends more', () => sent.length >= 5);
  });
});

/** A connection on which the test is the router. */
class FakeSocket {
  readonly readyState = 1;
  readonly said: unknown[] = [];
  onopen: () => void = () => undefined;
  onmessage: (event: { data: string }) => void = () => undefined;
  onclose: (event: { code: number }) => void = () => undefined;

  send(text: string): void {
    this.said.push(JSON.parse(text));
  }

  close(): void {}

  opens(): void {
    this.onopen();
  }

  hears(message: object): void {
    this.onmessage({ data: JSON.stringify(message) });
  }

  ends(code: number): void {
    this.onclose({ code });
  }
}

type RunCamera = (
  takePicture: () => Promise<{ base64: string }>,
  uplink: { isReady: () => boolean; maxFps: () => number; send: (base64: string) => unknown },
) => () => void;
