import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { type Chart, chartsOf } from './page/charts.ts';
import { embeddedJson, type Html, html, trusted } from './page/markup.ts';
import { formatNumber, formatShareOf, MEBIBYTE, MEGABYTE, percentile, UNKNOWN, withUnit } from './page/numbers.ts';
import { alertsTable, latencyTable, secondsTable, toolTable, troubleTables, viewersTable } from './page/tables.ts';
import { readUplot } from './page/uplot.ts';
import type { LoadReport } from './report.ts';

const PAGE_FOLDER = new URL('bench/load/page/', PROJECT_FOLDER);

/** A run as one page that needs nothing else: it can be mailed, kept with a build, and opened without a network. */
export function renderHtml(report: LoadReport): string {
  const uplot = readUplot();
  const styles = [uplot.style, readPageFile('page.css')].map((style) => style.replaceAll('</', '<\\/'));
  const scripts = [uplot.script, readPageFile('draw.js')].map((script) =>
    script.replace(/<(\/script|!--)/gi, '\\x3c$1'),
  );
  const charts = chartsOf(report);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${securityPolicy(styles, scripts)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Load test: ${report.load}</title>
<link rel="icon" href="data:,">
${styles.map((style) => html`<style>${trusted(style)}</style>\n`)}
</head>
<body>
<header>
<h1>Load test</h1>
<p class="load">${report.load}</p>
<p class="meta">${metaLine(report)}</p>
</header>
<main>
${warnings(report)}
${figures(report)}
<section aria-labelledby="seconds">
<h2 id="seconds">Second by second</h2>
<noscript><p>Charts need JavaScript. Every second is in the last table, too.</p></noscript>
<p class="hint">Point at a second to read it in every chart, drag to zoom in, double-click to zoom out, click a name to
hide its line.</p>
<div class="charts">${charts.map(chartFigure)}</div>
</section>
<section aria-labelledby="trouble">
<h2 id="trouble">What went wrong</h2>
<div class="counts">${troubleTables(report)}</div>
</section>
<section aria-labelledby="detail">
<h2 id="detail">In detail</h2>
<div class="tables">
<div>${latencyTable(report)}
<p class="hint">From the schedule, a stall counts for every frame that it held up, as it did for those who waited;
from the send, only for the frames that were already on their way (“coordinated omission”).</p></div>
${viewersTable(report)}
${alertsTable(report)}
${toolTable(report)}
</div>
</section>
<section aria-labelledby="table">
<h2 id="table">The seconds as a table</h2>
<details><summary>Show the table</summary>
${secondsTable(report)}</details>
</section>
</main>
<footer>Drawn with uPlot 1.6, © Leon Sorokin, MIT License.</footer>
<script type="application/json" id="drawing">${embeddedJson(drawing(report, charts))}</script>
<script>${trusted(scripts[0] ?? '')}</script>
<script type="module">${trusted(scripts[1] ?? '')}</script>
</body>
</html>
`;
  return page.source;
}

function readPageFile(name: string): string {
  return readFileSync(new URL(name, PAGE_FOLDER), 'utf8');
}

/** Only what the page brings along may run, and nothing may be fetched. */
function securityPolicy(styles: readonly string[], scripts: readonly string[]): string {
  const hashes = (texts: readonly string[]) =>
    texts.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`).join(' ');
  return `default-src 'none'; img-src data:; style-src ${hashes(styles)}; script-src ${hashes(scripts)}`;
}

/** What draw.js reads. */
function drawing({ timeline }: LoadReport, charts: readonly Chart[]): unknown {
  return { seconds: timeline.map((sample) => sample.second), charts };
}

function metaLine({ url, startedAt, seconds, connections }: LoadReport): Html {
  const started = new Date(startedAt);
  const when = Number.isNaN(started.getTime())
    ? startedAt
    : started.toISOString().replace('T', ' ').replace(/\..*/, ' UTC');
  const parts = [
    html`<code>${url}</code>`,
    html`<time datetime="${startedAt}">${when}</time>`,
    html`${withUnit(seconds, 's')} measured`,
    html`${formatNumber(connections.encoders)} encoders, ${formatNumber(connections.viewers)} viewers`,
  ];
  return html`${parts.map((part) => html`<span>${part}</span> `)}`;
}

function warnings({ tool }: LoadReport): Html {
  if (tool.warnings.length === 0) return html``;
  return html`<section class="warnings" aria-labelledby="warnings">
<h2 id="warnings">Read these figures with care</h2>
<p>They may say less about the router than they seem to.</p>
<ul>${tool.warnings.map((warning) => html`<li>${warning}</li>`)}</ul>
</section>`;
}

function figures({ frames, latency: { fromSchedule }, router }: LoadReport): Html {
  const share = formatShareOf(frames.delivered, frames.expected);
  const longest = `longest ${withUnit(percentile(fromSchedule, 'max'), 'ms')}`;
  const cpu = router?.cpuMicrosPerFrame;
  const memory = router?.maxResidentBytes;
  const mebibytes = memory === undefined ? undefined : memory / MEBIBYTE;
  const told = (value: number | undefined, note: string) => (value === undefined ? 'the router does not tell' : note);
  return html`<section aria-labelledby="figures">
<h2 id="figures" class="unseen">Figures</h2>
<dl class="figures">
${figure('Delivered', formatNumber(frames.deliveredPerSecond), 'frames/s', `${formatNumber(frames.delivered)} frames`)}
${figure('JPEG', formatNumber(frames.deliveredBytesPerSecond / MEGABYTE), 'MB/s', 'delivered')}
${figure('Latency, p50', formatNumber(percentile(fromSchedule, 'p50')), 'ms', 'from the schedule')}
${figure('Latency, p99', formatNumber(percentile(fromSchedule, 'p99')), 'ms', longest)}
${figure('Delivered of expected', share, '', `of ${formatNumber(frames.expected)} frames`)}
${figure('Router CPU per frame', formatNumber(cpu), 'µs', told(cpu, 'delivered'))}
${figure('Router memory', formatNumber(mebibytes), 'MiB', told(mebibytes, 'at most'))}
</dl>
</section>`;
}

function figure(name: string, value: string, unit: string, note: string): Html {
  const shown = value === UNKNOWN || unit === '' ? '' : html` <small>${unit}</small>`;
  return html`<div><dt>${name}</dt><dd class="value">${value}${shown}</dd><dd>${note}</dd></div>`;
}

function chartFigure({ id, heading, summary, lines }: Chart): Html {
  const picture = html`<div class="plot" id="plot-${id}" role="img" aria-label="${heading}. ${summary}"></div>
<div class="legend" id="legend-${id}"></div>`;
  return html`<section class="chart" aria-labelledby="chart-${id}">
<h3 id="chart-${id}">${heading}</h3>
<p>${summary}</p>
${lines.length > 0 ? picture : ''}
</section>
`;
}
