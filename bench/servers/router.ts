/** The router as in production, but one that ends with the benchmark, however that ends. */
process.on('disconnect', () => process.exit(0));
await import('../../src/main.ts');
