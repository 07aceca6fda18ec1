import { defineConfig } from 'vitest/config';

const ALONE = [
  'tests/client/cuts.test.ts',
  'tests/client/lines.test.ts',
  'tests/dashboard/wall-speed.test.ts',
  'tests/docs/mobile-client.test.ts',
  'tests/e2e/reconnect-storm.test.ts',
  'tests/e2e/slow-link.test.ts',
];

export default defineConfig({
  test: {
    // Most tests wait, for sockets, timers and other programs. The default would be one worker on two cores.
    maxWorkers: 3,
    // To load the router anew for each file took as long as a third of the tests.
    isolate: false,
    // Real sockets, databases and browsers on two shared cores: slow is not broken.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'suite',
          include: ['tests/**/*.test.ts', 'proto/**/*.test.ts'],
          exclude: ['tests/afterwards/**', ...ALONE],
          globalSetup: ['tests/support/databases.ts'],
          setupFiles: ['tests/support/own-database.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        // What measures time or memory: another test beside it would be what is measured.
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          globalSetup: ['tests/support/databases.ts'],
          setupFiles: ['tests/support/own-database.ts'],
          fileParallelism: false,
          // One of them counts objects that are alive.
          isolate: true,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // What can only be said when everything else has run.
        extends: true,
        test: { name: 'afterwards', include: ['tests/afterwards/*.test.ts'], sequence: { groupOrder: 2 } },
      },
    ],
  },
});
