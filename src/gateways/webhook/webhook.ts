import type { After, Clock, Log } from '../../router/ports.ts';
import { AlertForwarder } from './forwarder.ts';
import { createHttpReceiver } from './http-receiver.ts';

export interface WebhookParts {
  /** http or https, without a user. The query is sent, and never logged: it may hold a key. */
  url: string;
  /** Without one nothing is signed. */
  secret: string | undefined;
  clock: Clock;
  log: Log;
  after: After;
  /** From 0 to 1. */
  random: () => number;
  /** Deadline of an attempt. */
  timeoutMs?: number;
}

const MAX_ALERTS = 1_000;
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_IN_FLIGHT = 8;
const TIMEOUT_MS = 5_000;

/** The forwarder of alerts to a service over HTTP, with the numbers of a router as it comes. */
export function createWebhook({ url, secret, timeoutMs = TIMEOUT_MS, ...parts }: WebhookParts): AlertForwarder {
  const { clock } = parts;
  const receiver = createHttpReceiver({ url, secret, maxInFlight: MAX_IN_FLIGHT, timeoutMs, clock });
  return new AlertForwarder({
    ...parts,
    receiver,
    maxAlerts: MAX_ALERTS,
    maxBytes: MAX_BYTES,
    maxInFlight: MAX_IN_FLIGHT,
  });
}
