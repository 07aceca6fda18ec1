import { readdirSync, readFileSync } from 'node:fs';
import { PROJECT_FOLDER } from '../project.ts';

/** Frames a second the camera took. */
export const WALK_FPS = 10;

/** The surveillance frames that come with the project, in order: JPEG, 768×576. See `assets/walk/README.md`. */
export function readWalk(): Buffer[] {
  const folder = new URL('assets/walk/', PROJECT_FOLDER);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jpg'))
    .sort()
    .map((name) => readFileSync(new URL(name, folder)));
}
