import { type Signal, signal } from '@preact/signals';
import type { Severity } from '../../client/index.ts';
import { preference } from './preference.ts';
import { isWorse } from './severity.ts';

/** Whether alerts make a sound on this device. */
export const sound = preference('sound', ['off', 'on'], 'off');
/** It is on, but the browser makes no sound before the page is clicked. */
export const isSoundBlocked: Signal<boolean> = signal(false);

/** Hz and how many times. */
const TONES: Readonly<Record<Severity, readonly [number, number]>> = {
  low: [440, 1],
  medium: [587, 1],
  high: [740, 2],
  critical: [880, 3],
};
const TONE_S = 0.14;
const PAUSE_S = 0.08;
const LOUDNESS = 0.2;
/** Many at a time are one sound, unless one of them is worse than what was heard. */
const QUIET_MS = 1_000;

let context: AudioContext | undefined;
let beeped: { severity: Severity; atMs: number } = { severity: 'low', atMs: Number.NEGATIVE_INFINITY };

/** To be called by a click, which browsers ask for. */
export function turnSound(to: 'on' | 'off'): void {
  sound.value = to;
  if (to === 'on') {
    unlock();
    beep('low');
  }
}

/** When it is switched on. */
export function beep(severity: Severity): void {
  const nowMs = performance.now();
  const isQuiet = nowMs - beeped.atMs < QUIET_MS && !isWorse(severity, beeped.severity);
  const audio = context;
  if (sound.value === 'off' || isQuiet || audio === undefined) return;
  beeped = { severity, atMs: nowMs };
  const [hertz, times] = TONES[severity];
  for (let time = 0; time < times; time += 1) {
    const startS = audio.currentTime + time * (TONE_S + PAUSE_S);
    const tone = new OscillatorNode(audio, { frequency: hertz });
    const volume = new GainNode(audio, { gain: 0 });
    // Without a click at its ends.
    volume.gain.setTargetAtTime(LOUDNESS, startS, 0.01);
    volume.gain.setTargetAtTime(0, startS + TONE_S - 0.04, 0.015);
    tone.connect(volume).connect(audio.destination);
    tone.start(startS);
    tone.stop(startS + TONE_S);
  }
}

function unlock(): void {
  context ??= new AudioContext();
  void context.resume().then(() => {
    isSoundBlocked.value = false;
  });
}

// Where it was on before the page was loaded anew, the first click anywhere lets it sound again.
if (sound.value === 'on') {
  isSoundBlocked.value = true;
  for (const gesture of ['pointerdown', 'keydown']) addEventListener(gesture, unlock, { once: true });
}
