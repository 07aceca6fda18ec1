import { type Signal, signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useState } from 'preact/hooks';

/** The page is not hidden behind another tab or window. */
export const isPageShown: Signal<boolean> = signal(!document.hidden);
document.addEventListener('visibilitychange', () => {
  isPageShown.value = !document.hidden;
});

/** Wide enough for the alerts beside the wall. As in the style sheet. */
const WIDE = matchMedia('(min-width: 60rem)');
export const isWide: Signal<boolean> = signal(WIDE.matches);
WIDE.addEventListener('change', ({ matches }) => {
  isWide.value = matches;
});

/** How many elements of `useOnScreen` are on the screen. */
export const onScreenCount: Signal<number> = signal(0);

const listeners = new WeakMap<Element, (isOnScreen: boolean) => void>();
const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) listeners.get(target)?.(isIntersecting);
});

/** Whether an element can be seen, as far as the page can. */
export function useOnScreen(element: RefObject<Element | null>): boolean {
  const [isOnScreen, setIsOnScreen] = useState(false);
  useEffect(() => {
    const { current } = element;
    if (current === null) return undefined;
    listeners.set(current, setIsOnScreen);
    observer.observe(current);
    return () => observer.unobserve(current);
  }, [element]);
  useEffect(() => {
    if (!isOnScreen) return undefined;
    onScreenCount.value += 1;
    return () => {
      onScreenCount.value -= 1;
    };
  }, [isOnScreen]);
  return isOnScreen;
}
