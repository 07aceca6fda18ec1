import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { StartError } from './start-error.ts';

/** Variables of a file in the form of `.env`. */
export interface EnvFile {
  path: string;
  values: Readonly<Record<string, string>>;
}

/**
 * Reads the file at `path`, which must be there; without a path `.env` of the working folder, if there is one.
 * @throws StartError when it cannot be read.
 */
export function readEnvFile(path?: string): EnvFile | undefined {
  try {
    // Its types say that a value may be undefined; none is.
    return { path: path ?? '.env', values: parseEnv(readFileSync(path ?? '.env', 'utf8')) as Record<string, string> };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (path === undefined && code === 'ENOENT') return undefined;
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${String(code)})`;
    throw new StartError(`${path ?? '.env'}: ${why}`);
  }
}

/** Sets what the environment does not say itself, be it that something is empty. */
export function applyEnvFile({ values }: EnvFile): void {
  for (const [name, value] of Object.entries(values)) process.env[name] ??= value;
}
