import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What the routers of a whole test run printed, and the secrets that were used meanwhile: tokens, cookies, tickets, keys. When the run ends, none of
 * these may be found in that. Each process of the run writes files of its own into one folder.
 */

const FOLDER_VARIABLE = 'WATCHOUT_TEST_EVIDENCE';
/** Shorter ones, like the `x` of a test, are found in anything. */
const MIN_SECRET_LENGTH = 16;

/** Begins to collect, in this process and in those it starts. Answers what removes it all. */
export function collectEvidence(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'watchout-evidence-'));
  process.env[FOLDER_VARIABLE] = folder;
  return () => rmSync(folder, { recursive: true });
}

/** What was collected up to now. */
export function leaksSoFar(): Findings {
  const folder = process.env[FOLDER_VARIABLE];
  if (folder === undefined) return { lines: 0, secrets: 0, leaks: [] };
  const read = (kind: string) =>
    readdirSync(folder)
      .filter((name) => name.startsWith(kind))
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('');
  const known = new Set(read('known').split('\n'));
  return findLeaks(
    read('printed'),
    read('secrets')
      .split('\n')
      .filter((secret) => !known.has(secret)),
  );
}

export interface Findings {
  lines: number;
  secrets: number;
  /** Printed lines that hold a secret. */
  leaks: readonly string[];
}

export function findLeaks(printed: string, used: readonly string[]): Findings {
  const secrets = [...new Set(used)].filter((secret) => secret.length >= MIN_SECRET_LENGTH);
  const leaking = secrets.filter((secret) => printed.includes(secret));
  const lines = printed.split('\n');
  const leaks = lines.filter((line) => leaking.some((secret) => line.includes(secret)));
  return { lines: lines.length, secrets: secrets.length, leaks };
}

/** Whatever a router printed: log lines, warnings, traces. */
export function notePrinted(text: string): void {
  note('printed', text.endsWith('\n') ? text : `${text}\n`);
}

/** Something that may not be printed, in all the ways it may be written. */
export function noteSecret(...secrets: readonly (string | undefined)[]): void {
  for (const secret of secrets) {
    if (secret === undefined || secret === '') continue;
    const plain = decoded(secret);
    // A signed token is the raw one, a dot, and the signature.
    note('secrets', `${[secret, plain, plain.split('.')[0]].join('\n')}\n`);
  }
}

/** What is no secret, though a test shows it in the place of one: a user's id, say. */
export function noteKnown(name: string): string {
  note('known', `${name}\n`);
  return name;
}

/** The secrets in the address and the headers of a connection. */
export function noteSecretsOf(url: string, headers: Readonly<Record<string, string>> = {}): void {
  const query = url.split('?')[1] ?? '';
  for (const pair of query.split('&')) noteSecret(/^(?:token|ticket)=(.+)$/.exec(pair)?.[1]);
  noteSecret(/^bearer +(.+)$/i.exec(headers['authorization'] ?? '')?.[1]);
  for (const [, value] of (headers['cookie'] ?? '').matchAll(/session_token=([^;]+)/g)) noteSecret(value);
}

function note(kind: string, text: string): void {
  const folder = process.env[FOLDER_VARIABLE];
  if (folder !== undefined) appendFileSync(join(folder, `${kind}-${process.pid}`), text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
