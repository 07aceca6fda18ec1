import { spawnSync } from 'node:child_process';

const PROBE_TIMEOUT_MS = 30_000;

/**
 * Whether `command` runs on this machine, that is, exits with 0. Without it the tests that need it are skipped, and a
 * line on stderr says so; in CI they may not be, so there it is an error.
 */
export function hasTool(name: string, command: string, args: readonly string[]): boolean {
  const { status, error } = spawnSync(command, args, { stdio: 'ignore', timeout: PROBE_TIMEOUT_MS });
  if (status === 0) return true;
  const problem = `${name} is missing (${command}: ${error?.message ?? `exit code ${status}`})`;
  if (process.env['CI']) throw new Error(`CI needs every tool: ${problem}`);
  process.stderr.write(`\n${problem}: its tests are SKIPPED.\n\n`);
  return false;
}
