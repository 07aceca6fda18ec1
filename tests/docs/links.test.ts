import { existsSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { readDocument } from './markdown.ts';

const NOT_OURS = /(^|\/)(node_modules|dist|\.git)(\/|$)/;

/** Every Markdown file of the project, by its path. */
function documentsIn(folder: string): string[] {
  const entries = readdirSync(new URL(folder === '' ? '.' : `${folder}/`, PROJECT_FOLDER), { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (NOT_OURS.test(path)) return [];
    return entry.isDirectory() ? documentsIn(path) : path.endsWith('.md') ? [path] : [];
  });
}

/** What a heading is called in a link, as GitHub has it. */
function anchorsIn(markdown: string): string[] {
  const headings = markdown.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '').matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

const documents = documentsIn('');

test('there are documents for those who write clients', () => {
  expect(documents).toEqual(
    expect.arrayContaining(['README.md', 'docs/API.md', 'docs/MOBILE_CLIENT.md', 'docs/OPERATING.md']),
  );
});

test.each(documents)('%s: every link to a file or a heading leads there', (path) => {
  const here = new URL(path, PROJECT_FOLDER);
  for (const [, target = '', fragment] of readDocument(path).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)) {
    const file = new URL(target === '' ? here : new URL(target, here));
    expect(`${path} → ${target} ${existsSync(file) ? 'is there' : 'is not there'}`).toContain('is there');
    if (fragment !== undefined) expect(anchorsIn(readDocument(file.pathname))).toContain(fragment);
  }
});
