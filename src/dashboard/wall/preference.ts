import { type Signal, signal } from '@preact/signals';

/** A choice that this device remembers. */
export function preference<Choice extends string>(
  name: string,
  choices: readonly Choice[],
  otherwise: Choice,
): Signal<Choice> {
  const key = `watchout.${name}`;
  const chosen = signal(choices.find((choice) => choice === localStorage.getItem(key)) ?? otherwise);
  chosen.subscribe((choice) => localStorage.setItem(key, choice));
  return chosen;
}
