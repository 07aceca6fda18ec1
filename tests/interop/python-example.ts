import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { hasTool } from '../support/tools.ts';
import { ExampleProgram } from './example-program.ts';

/** Debian's, since that is where Debian's packages are; the first `python3` in PATH may be another one. */
const PYTHON = '/usr/bin/python3';
const FOLDER = fileURLToPath(new URL('examples/python/', PROJECT_FOLDER));

/** Whether Python is here, with these packages; said where it is not, an error in CI. */
export function hasPythonWith(packages: string): boolean {
  return hasTool(`Python 3 with ${packages}`, PYTHON, ['-c', `import ${packages}`]);
}

/** Runs `encoder.py` or `viewer.py` of the examples; it ends with the test. */
export function startPython(script: 'encoder' | 'viewer', url: string, token: string, args: readonly string[]) {
  return new ExampleProgram(PYTHON, [join(FOLDER, `${script}.py`), '--url', url, ...args], token);
}

/** The same program in a hurry: it waits a tenth as long for what is gone, and a second for what is silent. */
export function startHurriedPython(script: 'encoder' | 'viewer', url: string, token: string, args: readonly string[]) {
  const code = `
import sys
sys.path.insert(0, ${JSON.stringify(FOLDER)})
import connection, ${script}
connection.FIRST_PAUSE_S, connection.MAX_PAUSE_S, ${script}.SILENCE_S = 0.1, 0.5, 1.0
${script}.main()`;
  return new ExampleProgram(PYTHON, ['-c', code, '--url', url, ...args], token);
}
