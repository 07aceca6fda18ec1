import { signal } from '@preact/signals';
import { onDevice } from './storage.ts';

const THEMES = ['system', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

const THEME_KEY = 'watchout.theme';
const SIGNS: Record<Theme, string> = { system: '◐', light: '☀', dark: '☾' };

const theme = signal<Theme>(THEMES.find((one) => one === onDevice.get(THEME_KEY)) ?? 'system');
theme.subscribe((chosen) => {
  document.documentElement.dataset['theme'] = chosen;
});

/** Dark, light, or as the device has it. */
export function ThemeButton() {
  const choose = () => {
    theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system';
    onDevice.set(THEME_KEY, theme.value);
  };
  const words = `Colours: ${theme.value}`;
  return (
    <button type="button" onClick={choose} aria-label={words} title={words}>
      <span aria-hidden="true">{SIGNS[theme.value]}</span>
    </button>
  );
}
