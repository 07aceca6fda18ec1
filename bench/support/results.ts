import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { PROJECT_FOLDER } from '../../src/project.ts';

/** One promise of the design, and what was measured. */
export interface Budget {
  work: string;
  /** `≤ 1.10 ×`, `≥ 8 ×` … */
  limit: string;
  /** With its noise, where it is a ratio. */
  measured: string;
  isMet: boolean;
}

/** What one benchmark leaves behind: the next run of the same one takes its place. */
interface Section {
  title: string;
  commit: string;
  machine: string;
  node: string;
  command: string;
  finishedAt: string;
  budgets: Budget[];
  /** Markdown without a heading. */
  body: string;
}

/** In the order of the document. */
const SECTION_NAMES = ['compare', 'ml', 'soak', 'capacity'] as const;
export type SectionName = (typeof SECTION_NAMES)[number];

const DATA_FILE = new URL('bench/results.json', PROJECT_FOLDER);
const PAGE_FILE = new URL('bench/RESULTS.md', PROJECT_FOLDER);

/** Writes a section into `bench/results.json`, and `bench/RESULTS.md` anew from all of them. */
export function recordResults(
  name: SectionName,
  section: Pick<Section, 'title' | 'command' | 'budgets' | 'body'>,
): void {
  const sections: Partial<Record<SectionName, Section>> = existsSync(DATA_FILE)
    ? JSON.parse(readFileSync(DATA_FILE, 'utf8'))
    : {};
  sections[name] = { ...section, ...circumstances() };
  writeFileSync(DATA_FILE, `${JSON.stringify(sections, null, 2)}\n`);
  writeFileSync(PAGE_FILE, renderResults(sections));
}

/** Where and when: without it a figure means nothing. */
export function circumstances(): Pick<Section, 'commit' | 'machine' | 'node' | 'finishedAt'> {
  const git = (...args: string[]) =>
    spawnSync('git', args, { cwd: PROJECT_FOLDER, encoding: 'utf8' }).stdout?.trim() ?? '';
  const changed = git('status', '--porcelain', '--', 'src', 'proto', 'bench/**.ts', 'package-lock.json') !== '';
  const cores = cpus();
  return {
    commit: `${git('rev-parse', '--short', 'HEAD') || 'unknown'}${changed ? ' with changes' : ''}`,
    machine: `${cores.length} × ${cores[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}`,
    node: process.version,
    finishedAt: new Date().toISOString().slice(0, 16).replace('T', ' '),
  };
}

/** Rows of a Markdown table; the first one is its heading. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [heading = [], ...body] = rows;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(heading), line(heading.map((_, index) => (index === 0 ? '---' : '---:'))), ...body.map(line)].join('\n');
}

export function budgetTable(budgets: readonly Budget[]): string {
  const rows = budgets.map(({ work, limit, measured, isMet }) => [
    work,
    limit,
    measured,
    isMet ? 'met' : '**not met**',
  ]);
  return markdownTable([['work', 'budget', 'measured', 'verdict'], ...rows]);
}

function renderResults(sections: Partial<Record<SectionName, Section>>): string {
  const present = SECTION_NAMES.flatMap((name) => sections[name] ?? []);
  const parts = [
    '# What was measured',
    'Written by the benchmarks themselves, each its own section; [README.md](README.md) says what they ask and how to run them. Ratios mean ' +
      'something on another machine, seconds do not. The noise beside a ratio is base against base in the same rounds.',
    '## Budgets',
    budgetTable(present.flatMap(({ budgets }) => budgets)),
    ...present.flatMap((section) => [
      `## ${section.title}`,
      `\`${section.command}\`, commit ${section.commit}, ${section.finishedAt} UTC. ${section.machine}; Node ${section.node}.`,
      section.body,
    ]),
  ];
  return `${parts.join('\n\n')}\n`;
}
