import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Most tests wait, for sockets, timers and other programs. The default would be one worker on two cores.
    maxWorkers: 2,
    // Real sockets, databases and browsers on two shared cores: slow is not broken.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'suite',
          include: ['tests/**/*.test.ts', 'proto/**/*.test.ts'],
          exclude: ['tests/afterwards/**'],
          globalSetup: ['tests/support/databases.ts'],
          setupFiles: ['tests/support/own-database.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        // What can only be said when everything else has run.
        extends: true,
        test: { name: 'afterwards', include: ['tests/afterwards/*.test.ts'], sequence: { groupOrder: 1 } },
      },
    ],
  },
});
