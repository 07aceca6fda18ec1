import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts', 'proto/**/*.test.ts'],
    globalSetup: ['tests/support/databases.ts'],
    // Real sockets, databases and browsers on two shared cores: slow is not broken.
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
