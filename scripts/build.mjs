// Compiles what changed since the last build, and nothing when nothing did. An installation without the compiler (production,
// `npm ci --omit=dev`) runs the build it was shipped with.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { removeClientPackage, writeClientPackage } from './client-package.mjs';
import { buildPages } from './pages.mjs';

const STAMP = 'dist/.built';
const SOURCES = [
  'src',
  'proto',
  'bench',
  'tests/test-client.ts',
  'package.json',
  'package-lock.json',
  'scripts/client-package.mjs',
  'scripts/pages.mjs',
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.client.json',
];
process.chdir(dirname(import.meta.dirname));

function newestMs(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

function compiler() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  } catch {
    return undefined;
  }
}

function compile(project) {
  const { status } = spawnSync(process.execPath, [tsc, '-p', project], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** The demo's database is an optional package. */
async function prepareDemo() {
  try {
    createRequire(import.meta.url).resolve('@electric-sql/pglite');
  } catch {
    return;
  }
  const { prepareEmbeddedCluster } = await import('../dist/src/demo/embedded-database.js');
  await prepareEmbeddedCluster();
}

const builtMs = existsSync(STAMP) ? statSync(STAMP).mtimeMs : 0;
const tsc = compiler();
if (tsc === undefined && builtMs === 0) {
  process.stderr.write(
    'Nothing is built yet, and the compiler is not installed: run `npm ci --include=dev && npm run build` first.\n',
  );
  process.exit(1);
}
if (tsc !== undefined && SOURCES.some((path) => existsSync(path) && newestMs(path) > builtMs)) {
  // The SDK first: the command line imports it as everybody does, by the package's name.
  removeClientPackage();
  compile('tsconfig.client.json');
  writeClientPackage();
  compile('tsconfig.build.json');
  chmodSync('dist/src/cli/main.js', 0o755);
  await buildPages();
  await prepareDemo();
  writeFileSync(STAMP, '');
}
