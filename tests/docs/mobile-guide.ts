import { blockWith, readDocument } from './markdown.ts';

export const guide = readDocument('docs/MOBILE_CLIENT.md');

/** The code of the guide's block that begins with this line, a comment with a file's name. */
export function sourceOf(file: string): string {
  return blockWith(guide, 'js', `// ${file}\n`);
}

/** What `createUplink` of the guide makes. */
export interface Uplink {
  start: () => void;
  stop: () => void;
  isRunning: () => boolean;
  maxFps: () => number;
  isReady: () => boolean;
  send: (base64: string, capturedAt: number) => boolean;
}

export type CreateUplink = (options: {
  routerUrl: string;
  getToken: () => Promise<string>;
  streamId: string;
  onAlert: () => void;
  onState: (state: string) => void;
  lostAfterMs?: number;
}) => Uplink;

/** Runs code of a document as the body of a function; `surroundings` are what it finds there. */
export function run(code: string, surroundings: Record<string, unknown>): unknown {
  const body = code.replaceAll(/^export /gm, '');
  return new Function(...Object.keys(surroundings), body)(...Object.values(surroundings));
}
