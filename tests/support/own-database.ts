import { inject } from 'vitest';

/** Before each test file: the embedded database of the worker that runs it. */
const databases = inject('databases');
const worker = Number(process.env['VITEST_POOL_ID'] ?? 1) - 1;
databases.embeddedUrl = databases.embeddedUrls[worker % databases.embeddedUrls.length] ?? databases.embeddedUrl;
