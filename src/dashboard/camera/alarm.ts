import { signal } from '@preact/signals';
import type { Encoder } from '../../client/index.ts';

/** What became of the last alarm. `waiting`: the router may not have it yet. `left-out`: too many wait already, and those it may not have either. */
export type AlarmState = { kind: 'none' | 'waiting' | 'left-out' } | { kind: 'sent'; atMs: number };

const LOOK_EVERY_MS = 200;

/** The alarm that somebody behind the camera raises, until the router has it. */
export class Alarm {
  readonly state = signal<AlarmState>({ kind: 'none' });
  #looking: ReturnType<typeof setInterval> | undefined;

  raise(encoder: Encoder, message: string): void {
    clearInterval(this.#looking);
    this.state.value = { kind: encoder.sendAlert({ severity: 'critical', message }) ? 'waiting' : 'left-out' };
    const look = () => {
      if (encoder.waitingAlerts > 0) return;
      clearInterval(this.#looking);
      this.state.value = { kind: 'sent', atMs: Date.now() };
    };
    this.#looking = setInterval(look, LOOK_EVERY_MS);
  }

  /** The camera ends. Whether an alarm is lost by that. */
  stop(): boolean {
    const { kind } = this.state.value;
    const isLost = kind === 'waiting' || kind === 'left-out';
    clearInterval(this.#looking);
    this.state.value = { kind: 'none' };
    return isLost;
  }
}
