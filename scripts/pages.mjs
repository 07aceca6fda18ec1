// Bundles the pages of src/dashboard into dist/dashboard, and serves them while somebody works on them.
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../src/dashboard');
const OUTPUT = join(import.meta.dirname, '../dist/dashboard');
const PAGES = ['index', 'ops', 'camera'];
/** What the router answers itself. */
const ROUTER_PATHS = ['/streams', '/api', '/stats', '/health', '/alerts', '/ws', '/metrics'];

function config() {
  return {
    root: ROOT,
    configFile: false,
    logLevel: 'warn',
    publicDir: false,
    // So that the pages work below a path of a proxy, too.
    base: './',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  };
}

export async function buildPages() {
  const { build } = await import('vite');
  await build({
    ...config(),
    build: {
      outDir: OUTPUT,
      emptyOutDir: true,
      // The router allows no inline data as images, styles or scripts: everything is a file.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      rolldownOptions: { input: PAGES.map((page) => join(ROOT, `${page}.html`)) },
    },
  });
}

/** `routerUrl`: where everything goes that is no page. */
export async function servePages(routerUrl) {
  const { createServer } = await import('vite');
  const target = { target: routerUrl, ws: true };
  const server = await createServer({
    ...config(),
    logLevel: 'info',
    server: { proxy: Object.fromEntries(ROUTER_PATHS.map((path) => [path, target])) },
  });
  await server.listen();
  server.printUrls();
}

if (process.argv[2] === 'serve') await servePages(process.argv[3] ?? 'http://127.0.0.1:3000');
