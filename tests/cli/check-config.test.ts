import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { expect, inject, onTestFinished, test } from 'vitest';
import { ENVIRONMENT_VARIABLES } from '../../src/config.ts';
import { openAccounts } from '../../src/demo/accounts.ts';
import { freePort } from '../support/free-port.ts';
import { run, tempFolder } from './program.ts';

const { postgresUrl } = inject('databases');

/** The value and the origin of each variable that was printed. */
function table(output: string): Map<string, { origin: string; value: string }> {
  const rows = output.split('\n').flatMap((line) => {
    const [, name = '', origin = '', value = ''] = /^([A-Z][A-Z_]+) +(\S+) +(.*)$/.exec(line) ?? [];
    return name === '' ? [] : [[name, { origin, value }] as const];
  });
  return new Map(rows);
}

function envFile(lines: Record<string, string>): string {
  const path = join(tempFolder(), 'router.env');
  writeFileSync(
    path,
    Object.entries(lines)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  return path;
}

test('every variable of the router is printed, with its value and where that comes from', async () => {
  const file = envFile({ PORT: '4000', ML_FPS: '2', STREAM_GRACE_MS: '', ML_SERVICE_ULR: 'http://ml' });
  const check = run(['check-config', '--env-file', file], { env: { ML_FPS: '3', LOG_LEVEL: '' } });
  expect(await check.exited).toBe(0);
  const rows = table(check.stdout());
  expect([...rows.keys()].sort()).toEqual([...ENVIRONMENT_VARIABLES].sort());
  expect(rows.get('PORT')).toEqual({ origin: file, value: '4000' });
  expect(rows.get('ML_FPS')).toEqual({ origin: 'environment', value: '3' });
  expect(rows.get('LOG_LEVEL')).toEqual({ origin: 'default', value: 'info' });
  expect(rows.get('STREAM_GRACE_MS')).toEqual({ origin: 'default', value: '15000' });
  expect(rows.get('HOST')).toEqual({ origin: 'default', value: '127.0.0.1' });
  expect(rows.get('ML_SERVICE_URL')).toEqual({ origin: 'default', value: '–' });
  expect(check.stderr()).toBe(`${file}: ML_SERVICE_ULR is nothing the router reads. Is it misspelt?\n`);
});

test('all faults are said at once, as the router would say them, with exit code 1 and no secret', async () => {
  const env = {
    PORT: 'http',
    ML_FPS: '-1',
    DATABASE_URL: 'mysql://anna:geheim@db/x',
    ML_SERVICE_URL: 'http://user:geheim@ml?key=geheim',
    ALERT_WEBHOOK_URL: 'geheim',
    ML_SERVICE_TOKEN: 'geheim mit Leerzeichen',
  };
  const check = run(['check-config'], { env });
  expect(await check.exited).toBe(1);
  for (const name of [...Object.keys(env), 'BETTER_AUTH_SECRET'])
    expect(check.stderr()).toMatch(new RegExp(`^  ${name}: `, 'm'));
  expect(check.output()).not.toMatch(/geheim|\n\s+at /);
  const start = run(['start'], { env });
  expect(await start.exited).toBe(1);
  expect(start.stderr()).toBe(check.stderr());
});

test('secrets are never shown: tokens, passwords in addresses, what stands in their query, and a webhook’s path', async () => {
  const env = {
    DATABASE_URL: 'postgresql://reader:geheim@db:5432/app?sslmode=require&password=geheim',
    BETTER_AUTH_SECRET: 'geheim',
    ML_REDIS_URL: 'redis://:geheim@redis:6379/1',
    ML_SERVICE_TOKEN: 'geheim',
    ALERT_WEBHOOK_URL: 'https://hooks.example/services/geheim?key=geheim',
    ALERT_WEBHOOK_SECRET: 'geheim',
  };
  const check = run(['check-config'], { env });
  expect(await check.exited).toBe(0);
  expect(check.output()).not.toContain('geheim');
  const rows = table(check.stdout());
  expect(rows.get('DATABASE_URL')?.value).toBe('postgresql://reader:***@db:5432/app?sslmode=***&password=***');
  expect(rows.get('ML_REDIS_URL')?.value).toBe('redis://:***@redis:6379/1');
  expect(rows.get('ALERT_WEBHOOK_URL')?.value).toBe('https://hooks.example/***?key=***');
  for (const name of ['BETTER_AUTH_SECRET', 'ML_SERVICE_TOKEN', 'ALERT_WEBHOOK_SECRET']) {
    expect(rows.get(name)?.value).toBe('***');
  }
  expect(rows.get('HOST')?.value).toBe('0.0.0.0');
});

test('a file that is named and not there is said', async () => {
  const check = run(['check-config', '--env-file', '/nowhere/router.env']);
  expect(await check.exited).not.toBe(0);
  // Node 20 looks at this option of a program before the program does.
  expect(check.stderr()).toMatch(/^(\S*node: )?\/nowhere\/router\.env: (there is no such file|not found)\n$/);
});

test('--connect finds a database, an ML service and a webhook that are there, and nothing is sent to any of them', async () => {
  const requests: string[] = [];
  const server = createHttpServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const env = {
    DATABASE_URL: inject('databases').url,
    BETTER_AUTH_SECRET: 'x',
    ML_SERVICE_URL: url,
    ALERT_WEBHOOK_URL: `${url}/alerts`,
  };
  const check = run(['check-config', '--connect'], { env });
  expect([await check.exited, check.stderr()]).toEqual([0, '']);
  expect(check.stdout()).toContain(`The ML service at ${url} answers.`);
  expect(check.stdout()).toMatch(/The alert webhook's host 127\.0\.0\.1:\d+ is there/);
  expect(check.stdout()).toContain('may read session');
  expect(requests).toEqual(['GET /']);
});

test('--connect says in plain sentences what does not answer', async () => {
  const [database, ml, webhook] = [await freePort(), await freePort(), await freePort()];
  const env = {
    DATABASE_URL: `postgresql://reader:geheim@127.0.0.1:${database}/app`,
    BETTER_AUTH_SECRET: 'x',
    ALERT_WEBHOOK_URL: `https://127.0.0.1:${webhook}/key`,
  };
  const places = [`http://127.0.0.1:${ml}`, `ws://127.0.0.1:${ml}/x?token=geheim`, `redis://:geheim@127.0.0.1:${ml}`];
  const names = ['ML_SERVICE_URL', 'ML_SERVICE_WS_URL', 'ML_REDIS_URL'];
  const checks = places.map((place, index) =>
    run(['check-config', '--connect'], { env: { ...env, [names[index] ?? '']: place } }),
  );
  for (const check of checks) {
    expect(await check.exited).toBe(1);
    expect(check.stdout()).toContain(
      `The database at postgresql://reader:***@127.0.0.1:${database}/app cannot be reached: nothing listens there.`,
    );
    expect(check.stdout()).toMatch(/ML service at (http|ws|redis):\S+ cannot be reached: nothing listens there\./);
    expect(check.stdout()).toContain(
      `The alert webhook's host 127.0.0.1:${webhook} cannot be reached: nothing listens there.`,
    );
    expect(check.output()).not.toMatch(/geheim|\n\s+at /);
  }
});

test.skipIf(postgresUrl === undefined)(
  '--connect says which right is missing in a real Postgres, and never writes',
  async () => {
    const server = new pg.Client({ connectionString: postgresUrl });
    await server.connect();
    const name = `watchout_check_${randomBytes(6).toString('hex')}`;
    const role = `reader_${randomBytes(6).toString('hex')}`;
    await server.query(`CREATE DATABASE ${name}`);
    const url = new URL(postgresUrl as string);
    url.pathname = `/${name}`;
    const admin = new pg.Client({ connectionString: url.href });
    await admin.connect();
    await server.query(`CREATE ROLE ${role} LOGIN PASSWORD 'geheim'`);
    onTestFinished(async () => {
      await admin.end();
      await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await server.query(`DROP ROLE ${role}`);
      await server.end();
    });
    const readerUrl = new URL(url.href);
    readerUrl.username = role;
    readerUrl.password = 'geheim';
    const env = { DATABASE_URL: readerUrl.href, BETTER_AUTH_SECRET: 'x', STREAM_OWNERS: 'video_stream' };
    const check = async () => {
      const program = run(['check-config', '--connect'], { env });
      const code = await program.exited;
      expect(program.output()).not.toContain('geheim');
      return { code, text: program.stdout() };
    };

    const empty = await check();
    expect(empty.code).toBe(1);
    for (const missing of ['session', '"user"', 'video_stream'])
      expect(empty.text).toContain(`There is no table ${missing}:`);

    await (await openAccounts(url.href, 'a secret of the tests')).close();
    await admin.query('CREATE TABLE video_stream (id text PRIMARY KEY, name text)');
    await admin.query(`GRANT SELECT ON session, video_stream TO ${role}`);
    const partly = await check();
    expect(partly.code).toBe(1);
    expect(partly.text).toContain(`ok     The role ${role} may read session.`);
    expect(partly.text).toContain(`FAULT  The role ${role} may not read "user": GRANT SELECT ON "user" TO ${role};`);
    expect(partly.text).toContain('FAULT  The table video_stream has no column userId or user_id.');

    await admin.query('ALTER TABLE video_stream ADD COLUMN "userId" text');
    await admin.query(`GRANT SELECT ON "user" TO ${role}`);
    expect((await check()).code).toBe(0);

    await admin.query(`GRANT DELETE ON session TO ${role}`);
    const writer = await check();
    expect(writer.code).toBe(0);
    expect(writer.text).toContain(`note   The role ${role} may read session, and write it: SELECT would be enough.`);

    const wrong = run(['check-config', '--connect'], {
      env: { ...env, DATABASE_URL: readerUrl.href.replace(name, 'nowhere') },
    });
    expect(await wrong.exited).toBe(1);
    expect(wrong.stdout()).toContain('cannot be reached: database "nowhere" does not exist.');
  },
);

test('without a database it says that a demo would start', async () => {
  const check = run(['check-config', '--connect']);
  expect(await check.exited).toBe(0);
  expect(check.stdout()).toContain('There is no DATABASE_URL: the router would start as a demo');
});
