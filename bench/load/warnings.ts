import type { Meter } from './meter.ts';
import type { LoadPlan } from './plan.ts';
import type { Percentiles } from './report.ts';

/** What the tool itself used while measuring. */
export interface ToolUse {
  cpuSeconds: number;
  /** Share of the time that the busiest thread was busy, 0 to 1. */
  busiest: number;
  lateness: Percentiles;
  /** Share of all cores of the machine that was in use, 0 to 1. */
  machineBusy: number;
}

/** From here on a thread or a machine has no room left, and what waits for it is measured as if it were the router's doing. */
const FULL = 0.9;
const LATE_MS = 10;

/** Why the figures may say more about the tool, or the machine, than about the router. Empty when they do not. */
export function warningsOf(plan: LoadPlan, use: ToolUse, total: Meter): string[] {
  const warnings: string[] = [];
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  if (use.busiest > FULL) {
    warnings.push(
      `The load tool was the limit: one of its ${plan.workers} threads was busy ${percent(use.busiest)} of the time. ` +
        'The router may carry more, at lower latency: give the tool more --workers, or a machine of its own.',
    );
  }
  if (use.machineBusy > FULL) {
    warnings.push(
      `The machine was the limit: ${percent(use.machineBusy)} of its cores were in use, by the router, the tool and others.`,
    );
  }
  if (plan.pace.kind === 'fps' && use.lateness.p99 > LATE_MS) {
    warnings.push(
      `The tool sent frames late: 1 in 100 by ${use.lateness.p99} ms or more. That is part of the latency from the schedule.`,
    );
  }
  if (total.skipped > 0) {
    warnings.push(`${total.skipped} frames were never sent: the encoders' sockets were full, or closed.`);
  }
  const closed = Object.values(total.closed).reduce((sum, times) => sum + times, 0);
  if (closed > 0)
    warnings.push(`${closed} connections were closed on the way; what they missed is not expected of them.`);
  if (total.sent === 0) warnings.push('No frame was sent.');
  if ((total.errors['UNKNOWN_MESSAGE_TYPE'] ?? 0) > 0 && plan.shares.windowed + plan.shares['slow-windowed'] > 0) {
    warnings.push('The router knows no windows: windowed viewers were served as plain ones.');
  }
  return warnings;
}
