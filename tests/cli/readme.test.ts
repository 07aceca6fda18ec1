import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { run } from './program.ts';

test('what the README types works as it stands there: the commands exist, and have these options', async () => {
  const readme = readFileSync(new URL('README.md', PROJECT_FOLDER), 'utf8');
  const lines = [...readme.matchAll(/^npx watchout-router (\S+)(.*?)(?: +#.*)?$/gm)];
  expect(lines.map(([, command]) => command)).toEqual(['start', 'camera', 'watch', 'check-config', 'token']);
  for (const [, command = '', rest = ''] of lines) {
    const help = run([command, '--help']);
    expect(await help.exited).toBe(0);
    for (const [option] of rest.matchAll(/--[a-z-]+/g)) expect(help.stdout()).toContain(` ${option} `);
  }
});

test('each help begins with examples that name options it has, and tells the exit codes', async () => {
  for (const command of ['start', 'camera', 'watch', 'check-config', 'token']) {
    const help = run([command, '--help']);
    expect(await help.exited).toBe(0);
    const [options = '', more = ''] = help.stdout().split('Examples:');
    for (const [line, own] of more.matchAll(/^ {2}\$ .*watchout-router ([\w-]+) .*$/gm)) {
      if (own !== command || line.includes('$(')) continue;
      for (const [option] of line.matchAll(/(?<= )--?[a-zA-Z-]+/g))
        expect(options).toMatch(new RegExp(`${option}[ ,]`));
    }
    expect(more).toMatch(/Exit codes:\n {2}0 /);
    expect(
      help
        .stdout()
        .split('\n')
        .filter((line) => line.length > 105),
    ).toEqual([]);
  }
});
