import { readFileSync } from 'node:fs';
import { PROJECT_FOLDER } from '../../src/project.ts';

/** A fenced block of a document. */
export interface Block {
  language: string;
  code: string;
  /** What stands between the block before and this one. */
  before: string;
}

export function readDocument(path: string): string {
  return readFileSync(new URL(path, PROJECT_FOLDER), 'utf8');
}

/** All of them in order, those in lists included. */
export function blocksIn(markdown: string): Block[] {
  const blocks: Block[] = [];
  let end = 0;
  for (const match of markdown.matchAll(/^( *)```(\w+)\n([\s\S]*?)^ *```$/gm)) {
    const [whole, indent = '', language = '', code = ''] = match;
    const before = markdown.slice(end, match.index);
    end = match.index + whole.length;
    blocks.push({ language, code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''), before });
  }
  return blocks;
}

/** The block of that language that contains `text`. */
export function blockWith(markdown: string, language: string, text: string): string {
  const found = blocksIn(markdown).filter((block) => block.language === language && block.code.includes(text));
  const [block, ...others] = found;
  if (block === undefined || others.length > 0) throw new Error(`${found.length} ${language} blocks with ${text}`);
  return block.code;
}

/** What stands under a heading, up to the next one of its level or above. */
export function sectionOf(markdown: string, heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length ?? 0;
  const [, rest] = markdown.split(`\n${heading}\n`);
  if (rest === undefined) throw new Error(`no heading ${heading}`);
  return rest.split(new RegExp(`\n#{1,${level}} `))[0] ?? '';
}

/** Rows of Markdown tables as lists of cells, without the lines under their heads. */
export function rowsIn(markdown: string): string[][] {
  const lines = markdown.split('\n').filter((line) => line.startsWith('|') && !/^[|\-: ]+$/.test(line));
  return lines.map((line) =>
    line
      .slice(1, line.lastIndexOf('|'))
      .split('|')
      .map((cell) => cell.trim()),
  );
}

/** What a text has in backticks. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}
