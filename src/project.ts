import { existsSync, readFileSync } from 'node:fs';
import { StartError } from './start-error.ts';

/** The project's folder, from the sources as well as from the build: files that are not compiled stay where they are. */
export const PROJECT_FOLDER: URL = findProjectFolder();

/** Of this router, as `package.json` has it. */
export const VERSION: string = JSON.parse(readFileSync(new URL('package.json', PROJECT_FOLDER), 'utf8')).version;

function findProjectFolder(): URL {
  let folder = new URL('.', import.meta.url);
  while (!existsSync(new URL('package.json', folder))) {
    const parent = new URL('..', folder);
    if (parent.href === folder.href) throw new StartError('package.json and assets must stand beside dist');
    folder = parent;
  }
  return folder;
}
