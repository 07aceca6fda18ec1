import { type LoadReport, type Percentiles, type Sample, VIEWER_KINDS } from './report.ts';

/** One line per second while a load runs. */
export function sampleLine({ second, sent, delivered, deliveredBytes, latency, routerCpu, dropped }: Sample): string {
  const cpu = routerCpu === undefined ? '' : `  router ${Math.round(routerCpu * 100)} % CPU`;
  const drops = Object.entries(dropped).map(([cause, frames]) => `${cause} ${frames}`);
  const lost = drops.length === 0 ? '' : `  dropped: ${drops.join(', ')}`;
  return (
    `${String(second).padStart(4)} s  ${sent} sent, ${delivered} delivered (${megabytes(deliveredBytes)} MB)  ` +
    `p50 ${latency.p50.toFixed(1)}  p99 ${latency.p99.toFixed(1)}  max ${latency.max.toFixed(1)} ms${cpu}${lost}`
  );
}

/** The report as lines for a terminal. */
export function reportTable(report: LoadReport): string {
  const { frames, latency, alerts, router, tool, connections } = report;
  const rows: [string, string][] = [
    ['load', report.load],
    ['router', report.url],
    [
      'connected',
      `${connections.encoders} encoders, ${connections.viewers} viewers${counts(connections.failed, '; failed: ')}`,
    ],
    ['frames sent', `${frames.sent} in ${report.seconds} s${frames.skipped > 0 ? `, ${frames.skipped} left out` : ''}`],
    [
      'frames delivered',
      `${frames.delivered} of ${frames.expected} expected${missing(frames.delivered, frames.expected)}`,
    ],
    [
      'throughput',
      `${Math.round(frames.deliveredPerSecond)} frames/s, ${megabytes(frames.deliveredBytesPerSecond)} MB/s`,
    ],
    ['latency', `${milliseconds(latency.fromSchedule)}  from the moment a frame was due`],
    ['', `${milliseconds(latency.fromSend)}  from the moment it was sent`],
  ];
  for (const kind of VIEWER_KINDS.slice(1)) {
    const viewers = report.viewers[kind];
    if (viewers.count === 0) continue;
    rows.push([`${kind} viewers`, `${viewers.count}: ${viewers.delivered} frames  ${milliseconds(viewers.latency)}`]);
  }
  if (alerts.sent > 0) {
    rows.push([
      'alerts',
      `${alerts.delivered} of ${alerts.expected} expected${missing(alerts.delivered, alerts.expected)}`,
    ]);
    rows.push(['', milliseconds(alerts.latency)]);
  }
  rows.push(['errors', counts(report.errors) || 'none'], ['closed', counts(connections.closed) || 'none']);
  if (router === undefined) rows.push(['router', 'tells nothing of itself: no /stats']);
  else {
    const { cpuSeconds, cpuMicrosPerFrame, maxResidentBytes } = router;
    if (cpuSeconds !== undefined && cpuMicrosPerFrame !== undefined) {
      rows.push(['router CPU', `${cpuSeconds.toFixed(2)} s, ${cpuMicrosPerFrame.toFixed(1)} µs per delivered frame`]);
    }
    if (maxResidentBytes !== undefined)
      rows.push(['router memory', `at most ${Math.round(maxResidentBytes / 2 ** 20)} MiB`]);
    rows.push(['router dropped', counts(router.dropped) || 'nothing']);
  }
  rows.push(['this tool', `${tool.cpuSeconds.toFixed(2)} s CPU, busiest thread ${Math.round(tool.busiest * 100)} %`]);
  const table = rows.map(([name, value]) => `${name.padEnd(18)}${value}`);
  return [...table, ...tool.warnings.map((warning) => `WARNING: ${warning}`)].join('\n');
}

function milliseconds({ p50, p90, p99, max }: Percentiles): string {
  return `p50 ${p50.toFixed(2)}  p90 ${p90.toFixed(2)}  p99 ${p99.toFixed(2)}  max ${max.toFixed(2)} ms`;
}

function missing(delivered: number, expected: number): string {
  return delivered < expected ? ` (${((1 - delivered / expected) * 100).toFixed(2)} % missing)` : '';
}

function counts(entries: Record<string, number>, prefix = ''): string {
  const list = Object.entries(entries).map(([key, times]) => `${key} × ${times}`);
  return list.length === 0 ? '' : prefix + list.join(', ');
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
