import { signal } from '@preact/signals';
import {
  type Alert,
  type Camera,
  type ConnectionState,
  captureCamera,
  Encoder,
  type Sight,
  type Throttle,
} from '../../client/index.ts';
import { connectionOptions } from '../common/connection-options.ts';
import { isSignedOut } from '../common/connection-words.ts';
import type { Credentials } from '../common/session.ts';
import { Alarm } from './alarm.ts';
import { constraintsOf, keepSettings, type Settings } from './settings.ts';
import { cameraTrouble, type Filmed, withLostAlarm } from './words.ts';

/** What the page shows. `trouble`: why it did not start, or has ended. */
export type FilmingState =
  | { kind: 'off'; trouble?: string }
  | { kind: 'starting' }
  | { kind: 'on'; connection: ConnectionState; streamId: string; picture: MediaStream | null };

const QUALITY = 0.7;
const COUNT_EVERY_MS = 1_000;
const SHOWN_ALERTS = 20;

/** This device as a camera: one at a time. */
export class Filming {
  readonly state = signal<FilmingState>({ kind: 'off' });
  /** Counted once a second while it films. */
  readonly filmed = signal<Filmed | undefined>(undefined);
  /** Whether the camera gives any pictures. */
  readonly sight = signal<Sight>('moving');
  readonly alarm = new Alarm();
  /** What was seen in its pictures, the newest first. */
  readonly alerts = signal<readonly Alert[]>([]);
  /** What the router refused last. */
  readonly refusal = signal<string | undefined>(undefined);
  #encoder: Encoder | undefined;
  #stop: (trouble?: string) => void = () => undefined;

  /** Asks for the camera, which may take until somebody has pressed a button, and for the stream. */
  async start(settings: Settings, credentials: Credentials): Promise<void> {
    if (this.state.value.kind !== 'off') return;
    this.state.value = { kind: 'starting' };
    // So that this device is the same stream next time, too.
    keepSettings(settings);
    this.alerts.value = [];
    this.refusal.value = undefined;
    let picture: MediaStream | undefined;
    try {
      // First, so that no stream begins before somebody has said that the camera may be used.
      picture = await navigator.mediaDevices.getUserMedia({ video: constraintsOf(settings) });
      await this.#film(picture, settings, credentials);
    } catch (error) {
      if (picture !== undefined) switchOff(picture);
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      this.state.value = { kind: 'off', trouble: cameraTrouble(name, message) };
    }
  }

  stop(): void {
    this.#stop();
  }

  /** Somebody behind the camera wants to be heard. */
  raiseAlarm(name: string): void {
    if (this.#encoder !== undefined) this.alarm.raise(this.#encoder, `Alarm: somebody at ${name} asks for help`);
  }

  async #film(picture: MediaStream, settings: Settings, credentials: Credentials): Promise<void> {
    const { name, streamId, fps, maxWidth } = settings;
    const encoder = new Encoder({
      ...connectionOptions(credentials),
      streamId,
      metadata: { deviceName: name === '' ? streamId : name, deviceType: 'browser' },
    });
    let throttledBy: Throttle['reason'] | undefined;
    encoder.on('throttle', ({ reason }) => {
      throttledBy = reason;
    });
    encoder.on('error', ({ message }) => {
      this.refusal.value = message;
    });
    encoder.on('alert', (alert) => {
      this.alerts.value = [alert, ...this.alerts.value].slice(0, SHOWN_ALERTS);
    });
    const onEnded = () => this.#stop('The camera was taken away: another program has it, or it was unplugged.');
    let camera: Camera;
    try {
      camera = await captureCamera(encoder, { source: picture, fps, quality: QUALITY, maxWidth, onEnded });
    } catch (error) {
      encoder.close();
      throw error;
    }

    let before = { ...encoder.stats };
    const counting = setInterval(() => {
      this.sight.value = camera.sight;
      const { sent, replaced } = encoder.stats;
      this.filmed.value = {
        sentFps: sent - before.sent,
        replacedFps: replaced - before.replaced,
        paceFps: camera.pace.fps,
        quality: camera.pace.quality,
        wantedFps: fps,
        wantedQuality: QUALITY,
        throttledFps: encoder.maxFps,
        throttledBy,
      };
      before = { ...encoder.stats };
    }, COUNT_EVERY_MS);
    this.#encoder = encoder;
    this.#stop = (trouble) => {
      this.#stop = () => undefined;
      this.#encoder = undefined;
      clearInterval(counting);
      const words = this.alarm.stop() ? withLostAlarm(trouble) : trouble;
      camera.stop();
      switchOff(picture);
      encoder.close();
      this.filmed.value = undefined;
      this.sight.value = 'moving';
      this.state.value = words === undefined ? { kind: 'off' } : { kind: 'off', trouble: words };
    };
    const show = (connection: ConnectionState) => {
      if (this.#encoder !== encoder) return;
      if (connection.name === 'open') this.refusal.value = undefined;
      // Who is signed out is asked to sign in; everything else that ends the connection ends the camera.
      if (connection.name === 'closed' && !isSignedOut(connection)) this.#stop(connection.reason);
      else this.state.value = { kind: 'on', connection, streamId, picture };
    };
    encoder.on('state', show);
    show(encoder.state);
  }
}

function switchOff(picture: MediaStream): void {
  for (const track of picture.getTracks()) track.stop();
}
