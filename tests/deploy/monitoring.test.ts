import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Family, parseExposition, type Sample } from '../support/exposition.ts';
import { startTestMlService } from '../support/ml-service.ts';
import { groupingLabelsIn, selectorsIn } from '../support/promql.ts';
import { startTestRouter } from '../support/router.ts';

interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  datasource?: { uid: string };
  gridPos: { h: number; w: number; x: number; y: number };
  targets?: { refId: string; expr: string; legendFormat: string }[];
  fieldConfig?: { defaults: { unit?: string } };
}

interface Dashboard {
  schemaVersion: number;
  panels: Panel[];
  annotations: { list: { expr: string }[] };
  templating: { list: { name: string; type: string; definition?: string; allValue?: string }[] };
}

interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}

const project = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, project), 'utf8');
const dashboard = JSON.parse(read('deploy/grafana/watchout-router.json')) as Dashboard;
const { groups } = parse(read('deploy/prometheus/alerts.yml')) as { groups: { name: string; rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const prometheus = parse(read('deploy/prometheus/prometheus.yml'));

/** What Prometheus itself adds. */
const TARGET_LABELS = ['job', 'instance'];
const OWN_METRICS = new Set(['up']);

/** Prometheus' own tool, where this machine has it. */
const PROMTOOL = 'promtool';
const hasPromtool = spawnSync(PROMTOOL, ['--version']).status === 0;

let exposition: string;
let families: ReadonlyMap<string, Family>;
let samples: readonly Sample[];
beforeAll(async () => {
  const ml = await startTestMlService(() => ({ status: 204 }));
  const router = await startTestRouter({
    env: { ML_SERVICE_URL: ml.url, ALERT_WEBHOOK_URL: 'http://127.0.0.1:9/alerts' },
  });
  exposition = await (await fetch(`${router.httpUrl}/metrics`)).text();
  families = parseExposition(exposition);
  samples = [...families.values()].flatMap((family) => family.samples);
  await router.stop();
  ml.stop();
});

const panelExpressions = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }) => ({ where: title, expr, legendFormat })),
);
const expressions = [
  ...panelExpressions.map(({ where, expr }) => [`panel "${where}"`, expr]),
  ...dashboard.annotations.list.map(({ expr }) => ['annotation', expr]),
  ...dashboard.templating.list.flatMap(({ name, definition }) =>
    // `label_values(metric, label)` is Grafana's, not PromQL's: its first part is.
    definition === undefined ? [] : [[`variable ${name}`, definition.replace(/^label_values\((.*), \w+\)$/, '$1')]],
  ),
  ...rules.map(({ alert, expr }) => [`rule ${alert}`, expr]),
] as [string, string][];

test.each(expressions)('%s asks for metrics, labels and values that a router has', (_where, expression) => {
  const selectors = selectorsIn(expression);
  expect(selectors.length).toBeGreaterThan(0);
  const labels = new Set(TARGET_LABELS);
  for (const { metric, matchers } of selectors) {
    if (OWN_METRICS.has(metric)) continue;
    const series = samples.filter(({ name }) => name === metric);
    expect(series.length, metric).toBeGreaterThan(0);
    for (const label of series.flatMap((sample) => Object.keys(sample.labels))) labels.add(label);
    for (const { label, operator, value } of matchers) {
      if (TARGET_LABELS.includes(label)) continue;
      const there = series.map((sample) => sample.labels[label]);
      const asked = operator.endsWith('~') ? value.split('|') : [value];
      expect(there, `${metric}{${label}}`).toEqual(expect.arrayContaining(asked));
    }
  }
  for (const label of groupingLabelsIn(expression)) expect([...labels]).toContain(label);
});

test('counters are asked for how fast they grow, gauges for what they are', () => {
  for (const [where, expression] of expressions) {
    for (const { metric } of selectorsIn(expression)) {
      const isCounter = /_(total|bucket|sum|count)$/.test(metric);
      const inRate = new RegExp(`\\b(rate|increase)\\(\\s*${metric}\\b`).test(expression);
      expect(inRate, `${where}: ${metric}`).toBe(isCounter);
    }
  }
});

test('everything that a router measures is on the dashboard', () => {
  const shown = new Set(panelExpressions.flatMap(({ expr }) => selectorsIn(expr).map(({ metric }) => metric)));
  // It says the same as the count of the durations.
  const elsewhere = ['watchout_session_lookups_total'];
  const missing = [...families.values()].filter(
    ({ name, samples: [first] }) =>
      !elsewhere.includes(name) &&
      first !== undefined &&
      ![name, `${name}_bucket`, `${name}_sum`].some((one) => shown.has(one)),
  );
  expect(missing.map(({ name }) => name)).toEqual([]);
});

describe('the dashboard', () => {
  const { panels } = dashboard;

  test('works with any data source, and with one router or many', () => {
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39);
    expect(dashboard.templating.list.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['job', 'query'],
      ['instance', 'query'],
    ]);
    // Without one, "All" is all routers. With `.*` it would be everything that Prometheus scrapes: other programs have `process_…` too.
    expect(dashboard.templating.list.filter(({ allValue }) => allValue !== undefined)).toEqual([]);
    for (const { type, title, datasource } of panels) {
      if (type !== 'row') expect(datasource?.uid, title).toBe('${' + 'datasource}');
    }
    for (const { where, expr } of panelExpressions) expect(expr, where).toContain('job=~"$job", instance=~"$instance"');
  });

  test('says of every panel what to make of it, and in what unit it is', () => {
    for (const { type, title, description, targets, fieldConfig } of panels) {
      if (type === 'row') continue;
      expect(description?.length, title).toBeGreaterThan(15);
      expect(targets?.length, title).toBeGreaterThan(0);
      if (type === 'timeseries' || type === 'stat') expect(fieldConfig?.defaults.unit, title).toBeTypeOf('string');
    }
  });

  test('has every panel once, in its place, none over another', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    for (const [index, { title, gridPos: one }] of panels.entries()) {
      expect(one.x + one.w, title).toBeLessThanOrEqual(24);
      for (const { title: otherTitle, gridPos: other } of panels.slice(index + 1)) {
        const apart =
          one.x + one.w <= other.x ||
          other.x + other.w <= one.x ||
          one.y + one.h <= other.y ||
          other.y + other.h <= one.y;
        expect(apart, `${title} and ${otherTitle}`).toBe(true);
      }
    }
  });
});

describe('the alert rules', () => {
  test('each say how bad it is, what it is, and where to look', () => {
    expect(rules.length).toBeGreaterThan(10);
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, labels, annotations } of rules) {
      expect(alert).toMatch(/^Watchout[A-Z]/);
      expect(['critical', 'warning']).toContain(labels.severity);
      expect(annotations.summary, alert).toContain('{{ $labels.instance }}');
      expect(annotations.description.length, alert).toBeGreaterThan(80);
    }
  });

  test('send people to rows, panels and log lines that are there', () => {
    const titles = dashboard.panels.map(({ title }) => title);
    const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title);
    const sources = (readdirSync(new URL('src', project), { recursive: true }) as string[])
      .filter((file) => file.endsWith('.ts'))
      .map((file) => read(`src/${file}`))
      .join('\n');
    for (const { alert, annotations } of rules) {
      for (const [, phrase = ''] of annotations.description.matchAll(/"([^"]+)"/g)) {
        const isThere = titles.some((title) => title.startsWith(phrase)) || sources.includes(phrase);
        expect(isThere, `${alert}: ${phrase}`).toBe(true);
      }
      for (const [, row = ''] of annotations.description.matchAll(/\brow (\w+)/g)) {
        expect(
          rows.some((title) => title.startsWith(row)),
          `${alert}: row ${row}`,
        ).toBe(true);
      }
    }
  });

  test('are read by the Prometheus that is configured beside them, which scrapes the job they speak of', () => {
    const [job] = prometheus.scrape_configs;
    for (const file of prometheus.rule_files)
      expect(existsSync(new URL(`deploy/prometheus/${file}`, project))).toBe(true);
    const jobs = rules.flatMap(({ expr }) => [...expr.matchAll(/job="([^"]+)"/g)].map(([, name]) => name));
    expect(new Set(jobs)).toEqual(new Set([job.job_name]));
    // Where it looks unless told otherwise.
    expect(job.metrics_path ?? '/metrics').toBe('/metrics');
  });
});

describe.skipIf(!hasPromtool)('promtool', () => {
  const promtool = (args: string[], input = '') => {
    const { status, stdout, stderr } = spawnSync(PROMTOOL, args, { cwd: fileURLToPath(project), input });
    return { status, output: `${stdout}${stderr}` };
  };

  test.each([
    ['check', 'config', 'deploy/prometheus/prometheus.yml'],
    ['test', 'rules', 'tests/deploy/alerts.promtool.yml'],
  ])('%s %s %s', (...args) => {
    expect(promtool(args)).toMatchObject({ status: 0 });
  });

  test('check metrics', () => {
    expect(promtool(['check', 'metrics'], exposition)).toEqual({ status: 0, output: '' });
  });
});
