import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { openAccounts } from '../../src/demo/accounts.ts';
import { startEmbeddedDatabase } from '../../src/demo/embedded-database.ts';
import { collectEvidence } from './evidence.ts';

/** Databases the suite may use; all of them are of this run alone. */
export interface TestDatabases {
  /** Of this worker alone, see `own-database.ts`: in a real Postgres where one answers, which takes a tenth of the time, and otherwise an embedded one. */
  url: string;
  urls: readonly string[];
  /** One that is embedded, as a demo has it. */
  embeddedUrl: string;
  /** One in a real Postgres, where one answers. */
  postgresUrl: string | undefined;
}

declare module 'vitest' {
  export interface ProvidedContext {
    databases: TestDatabases;
  }
}

const DEFAULT_POSTGRES = 'postgresql://postgres@127.0.0.1:5432/test';

/** Makes fresh databases in the real Postgres, and embedded ones. In CI there must be a real one. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = process.env['TEST_DATABASE_URL'] || DEFAULT_POSTGRES;
  const postgres = await createPostgresDatabase(server);
  if (postgres === undefined) {
    if (process.env['CI'])
      throw new Error('CI needs a real Postgres: on 127.0.0.1:5432, or named by TEST_DATABASE_URL');
    process.stderr.write(
      '\nNo Postgres on 127.0.0.1:5432 and no TEST_DATABASE_URL: tests against a real one are SKIPPED.\n\n',
    );
  }
  const removeEvidence = collectEvidence();
  const workers = Array.from({ length: project.config.maxWorkers });
  const real = postgres && (await Promise.all(workers.map(() => createPostgresDatabase(server))));
  const embedded = await Promise.all((real === undefined ? workers : [0]).map(startEmbeddedDatabase));
  const [{ url: embeddedUrl } = { url: '' }] = embedded;
  const urls = (real ?? embedded).flatMap((database) => database?.url ?? []);
  // Once, here: test files run side by side, and two that make the same tables at the same time fail.
  for (const url of new Set([...urls, embeddedUrl, postgres?.url]))
    if (url !== undefined) await (await openAccounts(url, 'setup')).close();
  project.provide('databases', { url: urls[0] ?? '', urls, embeddedUrl, postgresUrl: postgres?.url });
  return async () => {
    for (const database of [postgres, ...(real ?? [])]) await database?.drop();
    for (const database of embedded) await database.stop();
    removeEvidence();
  };
}

async function createPostgresDatabase(
  adminUrl: string,
): Promise<{ url: string; drop: () => Promise<void> } | undefined> {
  const admin = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 3_000 });
  try {
    await admin.connect();
  } catch {
    return undefined;
  }
  const name = `watchout_test_${randomBytes(6).toString('hex')}`;
  await admin.query(`CREATE DATABASE ${name}`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async drop() {
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}
