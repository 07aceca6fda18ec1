import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { openAccounts } from '../../src/demo/accounts.ts';
import { startEmbeddedDatabase } from '../../src/demo/embedded-database.ts';
import { collectEvidence } from './evidence.ts';

/** Databases the suite may use. `postgresUrl`: a database of this run's own in a real Postgres, where one answers. */
export interface TestDatabases {
  /** Of this worker alone, see `own-database.ts`. */
  embeddedUrl: string;
  /** One for each worker: with one for all, a good session was refused once in some thousand look-ups. */
  embeddedUrls: readonly string[];
  postgresUrl: string | undefined;
}

declare module 'vitest' {
  export interface ProvidedContext {
    databases: TestDatabases;
  }
}

const DEFAULT_POSTGRES = 'postgresql://postgres@127.0.0.1:5432/test';

/** Starts one embedded database for the whole run, and makes a fresh one in the real Postgres. In CI there must be a real one. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await createPostgresDatabase(process.env['TEST_DATABASE_URL'] || DEFAULT_POSTGRES);
  if (postgres === undefined) {
    if (process.env['CI'])
      throw new Error('CI needs a real Postgres: on 127.0.0.1:5432, or named by TEST_DATABASE_URL');
    process.stderr.write(
      '\nNo Postgres on 127.0.0.1:5432 and no TEST_DATABASE_URL: tests against a real one are SKIPPED.\n\n',
    );
  }
  const removeEvidence = collectEvidence();
  const embedded = await Promise.all(Array.from({ length: project.config.maxWorkers }, startEmbeddedDatabase));
  // Once, here: test files run side by side, and two that make the same tables at the same time fail.
  const embeddedUrls = embedded.map(({ url }) => url);
  for (const url of [...embeddedUrls, postgres?.url])
    if (url !== undefined) await (await openAccounts(url, 'setup')).close();
  project.provide('databases', { embeddedUrl: embeddedUrls[0] ?? '', embeddedUrls, postgresUrl: postgres?.url });
  return async () => {
    await postgres?.drop();
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
