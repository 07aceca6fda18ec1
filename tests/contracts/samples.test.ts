import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { DOCUMENTS, SAMPLES, type Sample } from './samples.ts';

const samples: [string, Sample][] = Object.entries(SAMPLES);

/** The names that are played in this folder, by `play('…'`. */
function namesPlayedHere(): string[] {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'));
  const sources = files.map((name) => readFileSync(`${import.meta.dirname}/${name}`, 'utf8'));
  return sources.flatMap((source) => [...source.matchAll(/^ *play\('([^']+)'/gm)].map(([, name]) => String(name)));
}

test('no sample of the original documents is left out: each one of the list is played once', () => {
  const here = samples.filter(([, { played }]) => played.at === 'here').map(([name]) => name);
  expect(namesPlayedHere().sort()).toEqual(here.sort());
});

test('what is played by an older test is still played there', () => {
  for (const [name, { played }] of samples) {
    if (played.at === 'here') continue;
    const source = readFileSync(new URL(played.file, PROJECT_FOLDER), 'utf8');
    expect(source.split(`'${played.title}'`), `${name} in ${played.file}`).toHaveLength(2);
  }
});

test('every original document has samples, and no two tests have one name', () => {
  const documents = new Set(samples.flatMap(([, sample]) => sample.documents));
  expect([...documents].sort()).toEqual(Object.keys(DOCUMENTS).sort());
  const titles = samples.map(([, { played }]) => (played.at === 'here' ? played.notices : played.title));
  expect(new Set(titles).size).toBe(titles.length);
});
