/** Arrow keys have a meaning of their own there. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, select, textarea') !== null;
}

/** The tile that an arrow key leads to, from the one that has the focus; undefined: none, or the focus is elsewhere. */
export function arrowTarget(grid: HTMLElement | null, key: string): HTMLElement | undefined {
  if (grid === null || !grid.contains(document.activeElement)) return undefined;
  const tiles = [...grid.querySelectorAll<HTMLElement>('.cover')];
  const at = tiles.findIndex((tile) => tile.matches(':focus'));
  if (at < 0) return undefined;
  const columns = columnsOf(tiles);
  const steps: Readonly<Record<string, number>> = {
    ArrowRight: 1,
    ArrowLeft: -1,
    ArrowDown: columns,
    ArrowUp: -columns,
    Home: -at,
    End: tiles.length - 1 - at,
  };
  const step = steps[key];
  return step === undefined ? undefined : tiles[at + step];
}

/** Those in the first row. */
function columnsOf(tiles: readonly HTMLElement[]): number {
  const top = tiles[0]?.getBoundingClientRect().top;
  return Math.max(1, tiles.filter((tile) => tile.getBoundingClientRect().top === top).length);
}
