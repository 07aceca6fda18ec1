import { inject } from 'vitest';

/** Before each test file: the database of the worker that runs it. */
const databases = inject('databases');
const worker = Number(process.env['VITEST_POOL_ID'] ?? 1) - 1;
databases.url = databases.urls[worker % databases.urls.length] ?? databases.url;
