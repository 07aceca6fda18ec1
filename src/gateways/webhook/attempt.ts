import type { AlertReceiver, OutgoingAlert } from './receiver.ts';

/** How an attempt ended. `again`: another may succeed. `refused`: none will. `reason`: words for the log. */
export interface Outcome {
  verdict: 'delivered' | 'again' | 'refused';
  reason: string;
  retryAfterMs: number;
}

/** Posts an alert once, and judges what came of it. Never rejects. */
export async function attempt(receiver: AlertReceiver, alert: OutgoingAlert): Promise<Outcome> {
  try {
    const { status, retryAfterMs } = await receiver.post(alert);
    return { verdict: verdictOf(status), reason: `answered ${status}`, retryAfterMs };
  } catch (error) {
    return { verdict: 'again', reason: reasonOf(error), retryAfterMs: 0 };
  }
}

/** A redirect is a refusal: following it would take alerts to an address nobody configured. */
function verdictOf(status: number): Outcome['verdict'] {
  if (status >= 200 && status <= 299) return 'delivered';
  return status === 408 || status === 425 || status === 429 || status >= 500 ? 'again' : 'refused';
}

/** The code where there is one: a message may name what was asked for, and with it the query. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
