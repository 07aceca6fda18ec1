import { onDevice } from '../common/storage.ts';

/** What the person behind the camera has chosen. */
export interface Settings {
  /** What people call it. */
  name: string;
  /** Its stream, which stays the same when the name changes. */
  streamId: string;
  /** `user` and `environment`: the camera on that side of a phone; otherwise the id of a device. */
  device: string;
  fps: number;
  /** Pictures are made no wider than this, pixels. */
  maxWidth: number;
}

export const FPS_CHOICES = [5, 10, 15, 30] as const;
export const WIDTH_CHOICES = [640, 1280, 1920] as const;
export const SIDES = { environment: 'Back, or the only one', user: 'Front' } as const;

const SETTINGS_KEY = 'watchout.camera';
const MAX_NAME_LENGTH = 60;

/** As they were last time on this device. `chance`: letters that nobody else has, for the name of a new stream. */
export function restoreSettings(stored: string | null, chance: string): Settings {
  const fresh: Settings = { name: '', streamId: `camera-${chance}`, device: 'environment', fps: 15, maxWidth: 1280 };
  const kept = parse(stored);
  return {
    name: typeof kept['name'] === 'string' ? kept['name'].slice(0, MAX_NAME_LENGTH) : fresh.name,
    streamId: typeof kept['streamId'] === 'string' ? kept['streamId'] : fresh.streamId,
    device: typeof kept['device'] === 'string' ? kept['device'] : fresh.device,
    fps: FPS_CHOICES.find((fps) => fps === kept['fps']) ?? fresh.fps,
    maxWidth: WIDTH_CHOICES.find((width) => width === kept['maxWidth']) ?? fresh.maxWidth,
  };
}

export function loadSettings(): Settings {
  return restoreSettings(onDevice.get(SETTINGS_KEY), crypto.getRandomValues(new Uint32Array(1)).join(''));
}

export function keepSettings(settings: Settings): void {
  onDevice.set(SETTINGS_KEY, JSON.stringify(settings));
}

/** What the browser is asked for. A side is a wish, since laptops have none. */
export function constraintsOf({ device, fps, maxWidth }: Settings): MediaTrackConstraints {
  const which = device in SIDES ? { facingMode: { ideal: device } } : { deviceId: { exact: device } };
  return { ...which, width: { ideal: maxWidth }, frameRate: { ideal: Math.max(fps, 15) } };
}

function parse(stored: string | null): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(stored ?? '{}');
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
