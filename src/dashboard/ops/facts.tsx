import type { Stats } from './answers.ts';
import { duration, number } from './numbers.ts';
import { sum } from './samples.ts';

const BREAKER_WORDS = {
  closed: 'answers',
  'half-open': 'is tried again',
  open: 'fails, and is left alone for a while',
} as const;

/** What is a state rather than a line. */
export function Facts({ stats }: { stats: Stats }) {
  return (
    <dl class="facts">
      {factsOf(stats).map(([name, words]) => (
        <div key={name}>
          <dt class="muted">{name}</dt>
          <dd>{words}</dd>
        </div>
      ))}
    </dl>
  );
}

function factsOf({ ml, webhook, connections, process }: Stats): [string, string][] {
  const facts: [string, string][] = [
    ['ML service', ml === null ? 'none' : mlWords(ml)],
    ['Turned away', `${number(sum(connections.refused))} since the start`],
    ['Running for', duration(process.uptimeSeconds * 1000)],
  ];
  if (webhook !== null) {
    facts.splice(1, 0, ['Alerts kept elsewhere', `${number(webhook.delivered)}, ${number(sum(webhook.dropped))} lost`]);
  }
  return facts;
}

function mlWords({ breaker, connected, failedRequests }: NonNullable<Stats['ml']>): string {
  const state = connected ? BREAKER_WORDS[breaker] : 'is not connected';
  return failedRequests === 0 ? state : `${state}; ${number(failedRequests)} requests failed`;
}
