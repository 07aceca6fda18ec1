import type { Severity } from '../../client/index.ts';

/** The worst first, as people look for them. */
export const SEVERITIES: readonly Severity[] = ['critical', 'high', 'medium', 'low'];

export function isWorse(one: Severity, other: Severity): boolean {
  return SEVERITIES.indexOf(one) < SEVERITIES.indexOf(other);
}
