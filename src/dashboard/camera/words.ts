import type { Throttle } from '../../client/index.ts';

/** Why a camera could not be had, and what to do about it. `name`: of the error that the browser gave. */
export function cameraTrouble(name: string, message: string): string {
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'The browser may not use the camera. Allow it in the settings of this site (the sign beside the address), and start again.';
    case 'NotFoundError':
    case 'DevicesNotFoundError':
      return 'There is no camera on this device.';
    case 'NotReadableError':
    case 'TrackStartError':
      return 'The camera is there, but another program has it. Close that, and start again.';
    case 'OverconstrainedError':
      return 'The chosen camera is not there any more. Choose another one.';
    default:
      return `The camera does not start: ${message || name}`;
  }
}

/** Without HTTPS browsers hide their cameras from pages. Undefined: it may work. */
export function pageTrouble(isSecureContext: boolean, hasMediaDevices: boolean, address: string): string | undefined {
  if (!isSecureContext) {
    return `Browsers give pages a camera only over HTTPS, or on the router’s own machine as http://localhost. This page came from ${address}.`;
  }
  return hasMediaDevices ? undefined : 'This browser gives pages no camera.';
}

/** What the camera does, as it was counted over about a second. */
export interface Filmed {
  sentFps: number;
  /** Frames a second that the network did not take. */
  replacedFps: number;
  /** Frames a second that it tries to film, and their JPEG quality, 0 to 1: less than what was wanted where the network or the router want less. */
  paceFps: number;
  quality: number;
  /** What was asked for. */
  wantedFps: number;
  wantedQuality: number;
  /** The router’s own wish; Infinity: none. */
  throttledFps: number;
  throttledBy: Throttle['reason'] | undefined;
}

/** Why fewer or worse pictures are sent than were asked for; or that all is well. */
export function paceWords(filmed: Filmed): string {
  const { sentFps, replacedFps, paceFps, quality, wantedFps, wantedQuality, throttledFps, throttledBy } = filmed;
  if (throttledFps < wantedFps && throttledBy === 'demand') {
    if (throttledFps <= 1) return 'Nobody watches just now: one picture a second is sent.';
    return `Nobody wants more than ${throttledFps} frames a second: no more are sent.`;
  }
  if (throttledFps < wantedFps) return `The router takes at most ${throttledFps} frames a second.`;
  if (quality < wantedQuality || paceFps < wantedFps || replacedFps >= 1) {
    return 'The network is slow: fewer or smaller pictures are sent.';
  }
  if (sentFps < paceFps * BEHIND) return 'This device makes no more pictures a second than that.';
  return 'Everything is sent.';
}

/** Below this part of the frames that it tries to film a device is too slow; above it a second was counted a little short. */
const BEHIND = 0.8;
