import { test } from 'vitest';
import { SAMPLES, type Sample, type SampleName } from './samples.ts';

/** The test of a sample: plays what its client says, in that order, and reads the answers as that client does. Once for each name. */
export function play(name: SampleName, run: () => Promise<void>): void {
  const { played }: Sample = SAMPLES[name];
  if (played.at !== 'here') throw new Error(`${name} is played in ${played.file}`);
  test(played.notices, run);
}
