import type { ComponentChildren } from 'preact';
import iconUrl from '../icon.svg';
import { ThemeButton } from './theme.tsx';

/** Where the connection stands, or anything else that is good or bad. */
export interface State {
  mood: 'good' | 'warn' | 'bad' | 'unknown';
  words: string;
}

const PAGES = [
  { name: 'Wall', href: './' },
  { name: 'Camera', href: './camera' },
  { name: 'Router', href: './ops' },
] as const;

export interface BarProps {
  page: (typeof PAGES)[number]['name'];
  /** Read to screen readers when it changes. */
  state: State;
  /** Buttons at its end. */
  children?: ComponentChildren;
}

/** The bar on top of all pages. */
export function Bar({ page, state, children }: BarProps) {
  return (
    <header class="bar">
      <h1>
        <img src={iconUrl} alt="" width="28" height="28" />
        <span>Watchout</span>
      </h1>
      <nav aria-label="Pages">
        {PAGES.map(({ name, href }) => (
          <a key={name} href={href} aria-current={name === page ? 'page' : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <p id="connection" class="state" data-mood={state.mood} role="status">
        {state.words}
      </p>
      <div class="end">
        {children}
        <ThemeButton />
      </div>
    </header>
  );
}
