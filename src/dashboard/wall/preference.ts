import { type Signal, signal } from '@preact/signals';
import { onDevice } from '../common/storage.ts';

/** A choice that this device remembers. */
export function preference<Choice extends string>(
  name: string,
  choices: readonly Choice[],
  otherwise: Choice,
): Signal<Choice> {
  const key = `watchout.${name}`;
  const chosen = signal(choices.find((choice) => choice === onDevice.get(key)) ?? otherwise);
  chosen.subscribe((choice) => onDevice.set(key, choice));
  return chosen;
}
