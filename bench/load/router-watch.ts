import type { LoadTarget } from './plan.ts';

/** What a router says of itself at one moment; sums since its start. */
export interface RouterState {
  cpuSeconds: number | undefined;
  residentBytes: number | undefined;
  /** Frames by why they were rejected or dropped. */
  dropped: Record<string, number>;
}

const TIMEOUT_MS = 2_000;

/** Reads `/stats` of the router. Undefined when it has none, or none that is JSON. */
export async function readRouterState(target: LoadTarget): Promise<RouterState | undefined> {
  const url = new URL('/stats', target.url.replace(/^ws/, 'http'));
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) return undefined;
    const stats = asMap(await response.json());
    const process = asMap(stats['process']);
    const frames = asMap(stats['frames']);
    return {
      cpuSeconds: asNumber(process['cpuSeconds']),
      residentBytes: asNumber(process['residentBytes']),
      dropped: { ...numbersOf(frames['rejected']), ...numbersOf(frames['dropped']) },
    };
  } catch {
    return undefined;
  }
}

/** What was added between two states, by cause; causes that nothing fell to are left out. */
export function droppedBetween(before: RouterState, after: RouterState): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after.dropped)
      .map(([cause, total]): [string, number] => [cause, total - (before.dropped[cause] ?? 0)])
      .filter(([, added]) => added > 0),
  );
}

function asMap(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function numbersOf(value: unknown): Record<string, number> {
  return Object.fromEntries(
    Object.entries(asMap(value)).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
}
