import { CloseCode } from '../../proto/close-codes.ts';
import type { RouterError } from './types.ts';

/** How a connection ended. */
export interface Closing {
  /** 1006: it was lost, and nobody said why. */
  code: number;
  /** As the router wrote it. */
  reason: string;
  /** The last `error` that came before. */
  refusal: RouterError | undefined;
  /** Credentials come from a callback, and those it gave last were once good, or are the first it gave. */
  mayRenew: boolean;
}

/** What to do about it, and why, in words for a page. */
export interface Verdict {
  /** `renew`: once more, with fresh credentials. */
  kind: 'retry' | 'renew' | 'stop';
  reason: string;
}

/** Session ended, in the band of codes that ask for no retry; routers close with 1008 today. */
const SESSION_ENDED = 4401;

const LOST = 'The connection was lost';

const REASONS: Readonly<Record<number, string>> = {
  [CloseCode.messageTooBig]: 'A message was larger than the router takes',
  [CloseCode.serviceRestart]: 'The router restarts',
  [CloseCode.streamDeleted]: 'The stream was deleted by its owner',
  [CloseCode.takenOver]: 'A newer connection took the stream over',
  [CloseCode.outboxFull]: 'The connection was too slow for the alerts, and catches up',
  [CloseCode.heartbeatMissed]: LOST,
};

/**
 * By the band of the close code, so also for codes of later routers: after 1008 and 4400–4499 to come back unchanged would get the same answer, after everything else
 * it may get a better one.
 */
export function verdictOn({ code, reason, refusal, mayRenew }: Closing): Verdict {
  const isAboutSession = code === CloseCode.policyViolation || code === SESSION_ENDED;
  if (isAboutSession) {
    const why = `Not signed in: ${refusal?.message ?? (reason || 'the session has ended')}`;
    return { kind: mayRenew ? 'renew' : 'stop', reason: why };
  }
  if (code === CloseCode.tooManyInvalidMessages) {
    return { kind: 'stop', reason: `The router could not read what it was sent: ${refusal?.message ?? reason}` };
  }
  const known = REASONS[code];
  if (code >= 4400 && code <= 4499) {
    return { kind: 'stop', reason: known ?? `The router closed the connection for good (${code} ${reason})` };
  }
  if (code === CloseCode.tryAgainLater) {
    return { kind: 'retry', reason: refusal?.message ?? 'The router cannot take the connection now' };
  }
  return { kind: 'retry', reason: known ?? LOST };
}
