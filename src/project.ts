import { existsSync } from 'node:fs';

/** The project's folder, from the sources as well as from the build: files that are not compiled stay where they are. */
export const PROJECT_FOLDER: URL = findProjectFolder();

function findProjectFolder(): URL {
  let folder = new URL('.', import.meta.url);
  while (!existsSync(new URL('package.json', folder))) folder = new URL('..', folder);
  return folder;
}
