import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PROJECT_FOLDER } from '../../src/project.ts';

/** A real camera frame: where it lies, for programs in other languages to read, and what it must hash to. */
export interface WalkFile {
  path: string;
  sha256: string;
}

/** The first `count` frames of the walk. */
export function walkFiles(count: number): WalkFile[] {
  const folder = fileURLToPath(new URL('assets/walk/', PROJECT_FOLDER));
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jpg'))
    .sort()
    .slice(0, count)
    .map((name) => ({ path: `${folder}${name}`, sha256: sha256(readFileSync(`${folder}${name}`)) }));
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
