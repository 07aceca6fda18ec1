import type { Sight, Throttle } from '../../client/index.ts';
import type { AlarmState } from './alarm.ts';

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

/** Why a camera that is on gives no pictures, and what to do about it. Undefined: it gives some. */
export function sightTrouble(sight: Sight): string | undefined {
  switch (sight) {
    case 'moving':
      return undefined;
    case 'muted':
      return 'The camera gives no pictures now: another app may be using it, or a call has come in. Nothing is sent until it gives some again.';
    case 'still':
      return 'No picture has come from the camera for some seconds: another app may be using it, or it is stuck. Nothing is sent until one comes; if none does, stop and start again.';
  }
}

/** Whether somebody who has raised an alarm may rely on it. Undefined: nobody has. */
export function alarmWords(alarm: AlarmState): string | undefined {
  switch (alarm.kind) {
    case 'none':
      return undefined;
    case 'waiting':
      return 'The alarm waits for the connection.';
    case 'left-out':
      return 'This alarm was not taken: too many wait for the connection already.';
    case 'sent':
      return `Alarm sent at ${new Date(alarm.atMs).toLocaleTimeString()}.`;
  }
}

/** The end of a camera whose alarm is lost with it. `trouble`: why it ended, if not by its user. */
export function withLostAlarm(trouble: string | undefined): string {
  const lost = 'The alarm was not sent: the camera stopped while it waited for the connection.';
  return trouble === undefined ? lost : `${trouble.replace(/\.?$/, '.')} ${lost}`;
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
