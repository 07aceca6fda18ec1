import { CloseCode } from '../../../proto/close-codes.ts';
import type { LoadReport, Percentiles, Sample, ViewerKind } from '../report.ts';
import { type Content, type Html, html } from './markup.ts';
import {
  byCount,
  formatNumber,
  formatPercent,
  formatShareOf,
  MEBIBYTE,
  MEGABYTE,
  percentile,
  sum,
  withUnit,
} from './numbers.ts';

const KINDS: Record<ViewerKind, string> = {
  plain: 'read as fast as they can',
  windowed: 'acknowledge frames',
  slow: 'read a little at a time',
  'slow-windowed': 'read a little at a time, and acknowledge frames',
  stalled: 'do not read',
};

/** Closes that no router sends, but that a run can see. */
const OTHER_CLOSES: Record<string, string> = {
  1000: 'normal',
  1001: 'going away',
  1005: 'without a code',
  1006: 'lost without a close',
  1011: 'internal error',
};

const PERCENTILES = ['p50', 'p90', 'p99', 'max'] as const;

export function latencyTable({ latency }: LoadReport): Html {
  return table('Latency in ms, of viewers that read as fast as they can', [
    ['Measured from', 'Frames', ...PERCENTILES],
    ['the schedule', ...percentileCells(latency.fromSchedule)],
    ['the send', ...percentileCells(latency.fromSend)],
  ]);
}

export function viewersTable({ viewers }: LoadReport): Html {
  const kinds = (Object.keys(KINDS) as ViewerKind[]).filter((kind) => viewers[kind].count > 0);
  if (kinds.length === 0) return html`<p>There were no viewers.</p>`;
  return table('Viewers by kind; latency in ms from the schedule', [
    ['Kind', 'Viewers', 'Delivered', ...PERCENTILES],
    ...kinds.map((kind) => [
      html`${kind} <small>${KINDS[kind]}</small>`,
      formatNumber(viewers[kind].count),
      formatNumber(viewers[kind].delivered),
      ...percentileCells(viewers[kind].latency).slice(1),
    ]),
  ]);
}

export function alertsTable({ alerts }: LoadReport): Html {
  if (alerts.sent === 0) return html`<p>No alerts were sent.</p>`;
  return table('Alerts; latency in ms', [
    ['Sent', 'Expected', 'Delivered', 'Share', ...PERCENTILES],
    [
      formatNumber(alerts.sent),
      formatNumber(alerts.expected),
      formatNumber(alerts.delivered),
      formatShareOf(alerts.delivered, alerts.expected),
      ...percentileCells(alerts.latency).slice(1),
    ],
  ]);
}

export function troubleTables({ connections, errors, frames, router }: LoadReport): Html[] {
  return [
    countTable('Connections that failed', 'Reason', connections.failed),
    countTable('Closes', 'Code', connections.closed, closeCode),
    countTable('Error messages', 'Code', errors),
    router === undefined
      ? html`<p class="none"><b>Dropped frames</b> The router does not tell.</p>`
      : countTable('Dropped frames', 'Cause', router.dropped),
    countTable('Not sent', 'Cause', { "encoder's socket full": frames.skipped }),
  ];
}

export function toolTable({ tool }: LoadReport): Html {
  return table('The load tool; how late it sent frames, in ms', [
    ['CPU', 'Busiest thread', 'Frames', ...PERCENTILES],
    [withUnit(tool.cpuSeconds, 's'), formatPercent(tool.busiest), ...percentileCells(tool.lateness)],
  ]);
}

export function secondsTable({ timeline }: LoadReport): Html {
  return table('Every second; latency in ms from the schedule', [
    ['Second', 'Sent', 'Delivered', 'MB', ...PERCENTILES, 'Alerts', 'Dropped', 'CPU', 'MiB'],
    ...timeline.map(secondCells),
  ]);
}

function secondCells(sample: Sample): string[] {
  return [
    formatNumber(sample.second),
    formatNumber(sample.sent),
    formatNumber(sample.delivered),
    formatNumber(sample.deliveredBytes / MEGABYTE),
    ...percentileCells(sample.latency).slice(1),
    formatNumber(sample.alertsDelivered),
    formatNumber(sum(Object.values(sample.dropped))),
    formatPercent(sample.routerCpu),
    formatNumber(sample.routerResidentBytes === undefined ? undefined : sample.routerResidentBytes / MEBIBYTE),
  ];
}

function percentileCells(of: Percentiles): string[] {
  return [formatNumber(of.count), ...PERCENTILES.map((name) => formatNumber(percentile(of, name)))];
}

function countTable(
  caption: string,
  heading: string,
  counts: Record<string, number>,
  describe: (name: string) => Content = (name) => name,
): Html {
  const rows = byCount(counts).map(([name, count]) => [describe(name), formatNumber(count)]);
  if (rows.length === 0) return html`<p class="none"><b>${caption}</b> None.</p>`;
  return table(caption, [[heading, 'Count'], ...rows]);
}

function closeCode(code: string): Html {
  const ours = Object.entries(CloseCode).find(([, value]) => String(value) === code)?.[0];
  const meaning = ours?.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`) ?? OTHER_CLOSES[code] ?? '';
  return html`${code} <small>${meaning}</small>`;
}

/** The first row is the head, the first cell of every other row its heading. */
function table(caption: string, [head = [], ...rows]: Content[][]): Html {
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
<tbody>${rows.map(
    ([first = '', ...others]) =>
      html`<tr><th scope="row">${first}</th>${others.map((cell) => html`<td>${cell}</td>`)}</tr>
`,
  )}</tbody>
</table></div>
`;
}
