/** One number of a scrape. */
export interface Sample {
  /** Name and labels, written in one way: the same series has the same key in every scrape. */
  series: string;
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** All samples under one `HELP` and `TYPE`. */
export interface Family {
  name: string;
  help: string;
  type: string;
  samples: Sample[];
}

const TYPES = new Set(['counter', 'gauge', 'histogram']);
const NUMBER = /^([+-]?\d+(\.\d+)?(e[+-]?\d+)?|\+Inf|-Inf|NaN)$/;
const PARTS = ['_bucket', '_sum', '_count'];

/**
 * Prometheus' text format, read as strictly as its documentation puts it: every family is there once, with its `HELP` and its `TYPE` before its
 * samples; no series comes twice; buckets add up; names say what they are.
 * @throws Error naming the line, or the family.
 */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: Family | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const [, about, name = '', rest = ''] = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line) ?? [];
    if (about === 'HELP') {
      if (families.has(name)) throw new Error(`twice: ${line}`);
      current = { name, help: rest, type: '', samples: [] };
      families.set(name, current);
    } else if (about === 'TYPE') {
      if (current?.name !== name || current.type !== '' || !TYPES.has(rest)) throw new Error(`out of place: ${line}`);
      current.type = rest;
    } else {
      const sample = parseSample(line);
      if (current === undefined || !belongs(sample, current)) throw new Error(`out of place: ${line}`);
      if (seen.has(sample.series)) throw new Error(`twice: ${line}`);
      seen.add(sample.series);
      current.samples.push(sample);
    }
  }
  for (const family of families.values()) check(family);
  return families;
}

/** Every series of a scrape, by its key. */
export function seriesIn(families: ReadonlyMap<string, Family>): Map<string, number> {
  const samples = [...families.values()].flatMap((family) => family.samples);
  return new Map(samples.map(({ series, value }) => [series, value]));
}

function parseSample(line: string): Sample {
  const [, name, inBraces = '', value = ''] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.+)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined || !NUMBER.test(value)) throw new Error(`no sample: ${line}`);
  const labels = parseLabels(inBraces, line);
  const written = Object.entries(labels)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([label, text]) => `${label}="${text}"`);
  const series = written.length === 0 ? name : `${name}{${written.join(',')}}`;
  return { series, name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const [all = '', label = '', value = ''] =
      /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?=[a-zA-Z_])|$)/.exec(rest) ?? [];
    if (all === '' || label in labels) throw new Error(`labels not understood: ${line}`);
    labels[label] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    rest = rest.slice(all.length);
  }
  return labels;
}

function belongs({ name, labels }: Sample, { name: family, type }: Family): boolean {
  if (type !== 'histogram') return name === family;
  return PARTS.some((part) => name === `${family}${part}` && 'le' in labels === (part === '_bucket'));
}

function check(family: Family): void {
  const { name, type, samples } = family;
  if (type === '') throw new Error(`${name}: no TYPE`);
  if ((type === 'counter') !== name.endsWith('_total'))
    throw new Error(`${name}: counters, and nothing else, end with _total`);
  if (type === 'gauge') return;
  if (samples.some(({ name: sample, value }) => !sample.endsWith('_sum') && !(value >= 0))) {
    throw new Error(`${name}: less than nothing`);
  }
  if (type === 'histogram') for (const buckets of bucketsOf(family)) checkBuckets(name, buckets);
}

interface Buckets {
  bounds: { le: number; value: number }[];
  sum: number | undefined;
  count: number | undefined;
}

function bucketsOf({ name, samples }: Family): Iterable<Buckets> {
  const all = new Map<string, Buckets>();
  for (const { name: part, labels, value } of samples) {
    const { le, ...others } = labels;
    const key = JSON.stringify(others);
    const buckets = all.get(key) ?? { bounds: [], sum: undefined, count: undefined };
    all.set(key, buckets);
    if (part === `${name}_sum`) buckets.sum = value;
    else if (part === `${name}_count`) buckets.count = value;
    else buckets.bounds.push({ le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value });
  }
  return all.values();
}

function checkBuckets(name: string, { bounds, sum, count }: Buckets): void {
  const last = bounds.at(-1);
  if (sum === undefined || count === undefined || last === undefined) throw new Error(`${name}: a part is missing`);
  if (last.le !== Number.POSITIVE_INFINITY || last.value !== count) throw new Error(`${name}: +Inf is not the count`);
  for (const [index, { le, value }] of bounds.entries()) {
    const before = bounds[index - 1];
    if (before !== undefined && !(before.le < le && before.value <= value))
      throw new Error(`${name}: buckets do not add up`);
  }
}
