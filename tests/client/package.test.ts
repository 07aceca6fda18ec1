import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readWalk } from '../../src/demo/walk.ts';
import { PROJECT_FOLDER } from '../../src/project.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import { openEncoder, openViewer } from '../support/client.ts';
import { startTestRouter, type TestRouter } from '../support/router.ts';
import { steadily } from '../support/steadily.ts';
import { until } from '../support/until.ts';
import { bundle, openPage, untilInPage } from './pages.ts';

const run = promisify(execFile);
const project = new URL('.', PROJECT_FOLDER).pathname;
const readme = readFileSync(join(project, 'src/client/README.md'), 'utf8');
const walk = readWalk();

/** Packed from this project's own folders, so that no registry is asked. What the package needs, and what its user brings along. */
const PACKED = ['@msgpack/msgpack', 'ws', 'react', 'react-dom', 'scheduler', '@types/react', 'csstype'];

/** A viewer alone, minified and compressed, may weigh this much in a page, bytes. */
const VIEWER_LIMIT_BYTES = 14_000;

let router: TestRouter;
/** An empty project into which the package was installed. */
let folder: string;
let packedFiles: string[];
/** One user for all: the README's examples are about one stream. */
let token: string;

beforeAll(async () => {
  router = await startTestRouter();
  token = (await router.signUp()).token;
  folder = mkdtempSync(join(tmpdir(), 'watchout-client-'));
  const packs = join(folder, 'packs');
  mkdirSync(packs);
  const sources = ['./dist/client', ...PACKED.map((name) => `./node_modules/${name}`)];
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', packs, ...sources];
  const { stdout } = await run('npm', args, { cwd: project, maxBuffer: 16 * 1024 * 1024 });
  packedFiles = packedIn(JSON.parse(stdout));
  writeFileSync(join(folder, 'package.json'), '{"name":"empty","private":true,"type":"module"}');
  const files = readdirSync(packs).map((name) => join(packs, name));
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', ...files], { cwd: folder });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await router.stop();
});

test('the package has the SDK in it, its types and its words, and nothing of the server', () => {
  const folders = new Set(packedFiles.map((path) => path.replace(/[^/]+$/, '')));
  expect([...folders].sort()).toEqual(['', 'proto/', 'src/client/']);
  expect(packedFiles).toContain('README.md');
  expect(packedFiles).toContain('LICENSE');
  expect(packedFiles.filter((path) => path.startsWith('proto/') && path.endsWith('.js')).sort()).toEqual([
    'proto/close-codes.js',
    'proto/errors.js',
    'proto/limits.js',
  ]);
  const manifest = JSON.parse(readFileSync(join(folder, 'node_modules/watchout-router/package.json'), 'utf8'));
  expect(Object.keys(manifest.dependencies)).toEqual(['@msgpack/msgpack']);
  expect(manifest.peerDependenciesMeta).toEqual({ react: { optional: true } });
});

test('the encoder and the viewer of the README run in Node as they stand there', async () => {
  copyFileSync(
    join(
      project,
      'assets/walk/',
      readdirSync(join(project, 'assets/walk')).find((name) => name.endsWith('.jpg')) ?? '',
    ),
    join(folder, 'picture.jpg'),
  );
  const [encoderCode, , viewerCode] = codeBlocks('js');
  const viewer = await start('viewer.js', viewerCode);
  await until('it waits for the stream', () => viewer.output().includes('offline'));
  const encoder = await start('encoder.js', encoderCode);
  await until('pictures arrive', () => (viewer.output().match(/\d+ bytes, -?\d+ ms old/g) ?? []).length > 5);
  expect(viewer.output()).toContain(`${walk[0]?.length} bytes`);
  expect(viewer.output()).toMatch(/^connecting\s+open/);
  const other = await openViewer(router.wsUrl, token, 'gate');
  await other.next('video-frame');
  await other.close();
  expect(encoder.errors() + viewer.errors()).toBe('');
});

test('its types are enough for a strict compiler, with nothing else installed', async () => {
  writeFileSync(
    join(folder, 'use.ts'),
    `import { type Alert, captureCamera, Encoder, Viewer } from 'watchout-router/client';
     import { useVideoStream } from 'watchout-router/react';
     const viewer = new Viewer({ url: 'wss://r', token: async () => 't' });
     const end: () => void = viewer.subscribe('gate', { onFrame: async (frame) => { const size: number = frame.data.length; void size; }, maxFps: 5 });
     viewer.subscribe('*', { onAlert: (alert: Alert) => void alert.severity });
     const encoder = new Encoder({ url: 'wss://r', ticket: () => null });
     encoder.on('throttle', ({ maxFps }) => void maxFps.toFixed());
     const camera: Promise<{ stop(): void }> = captureCamera(encoder);
     // @ts-expect-error a rate that no router knows
     viewer.subscribe('gate', { maxFps: 3 });
     export const picture = (): string | null => useVideoStream('gate').frameUrl;
     void end; void camera;`,
  );
  const compilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    lib: ['es2022', 'dom'],
    types: [],
    target: 'es2022',
  };
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    const config = {
      compilerOptions: { ...compilerOptions, module, moduleResolution, exactOptionalPropertyTypes: true },
      files: ['use.ts'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const { stdout } = await run(process.execPath, [
      join(project, 'node_modules/typescript/bin/tsc'),
      '-p',
      folder,
    ]).catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
  }
});

test('a page that watches downloads little, and nothing of the camera, the encoder or a validator', async () => {
  const weigh = async (name: string, code: string) => {
    writeFileSync(join(folder, `${name}.js`), code);
    const script = await bundle(join(folder, `${name}.js`), folder);
    return { script, bytes: gzipSync(script, { level: 9 }).length };
  };
  const viewer = await weigh(
    'only-viewer',
    `import { Viewer } from 'watchout-router/client'; globalThis.Viewer = Viewer;`,
  );
  const encoder = await weigh(
    'only-encoder',
    `import { Encoder } from 'watchout-router/client'; globalThis.Encoder = Encoder;`,
  );
  const all = await weigh('all', `import * as all from 'watchout-router/client'; globalThis.all = all;`);
  process.stdout.write(
    `minified and gzipped: Viewer ${viewer.bytes}, Encoder ${encoder.bytes}, all ${all.bytes} bytes\n`,
  );
  expect(viewer.bytes).toBeLessThan(VIEWER_LIMIT_BYTES);
  // Words that only one of them says.
  for (const [word, inEncoder, inViewer] of [
    ['/streams/register', true, false],
    ['/streams/subscribe', false, true],
    ['getUserMedia', false, false],
    ['ZodError', false, false],
  ] as const) {
    expect([word, encoder.script.includes(word), viewer.script.includes(word)]).toEqual([word, inEncoder, inViewer]);
    expect(all.script.includes(word)).toBe(word !== 'ZodError');
  }
});

describe.skipIf(!hasChromium())('bundled by vite, in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test('the viewer of the README sees pictures', async () => {
    await playWalk('gate');
    const [, , viewerCode] = codeBlocks('js');
    writeFileSync(join(folder, 'viewer-page.js'), adapted(viewerCode));
    const page = await openPage(browser, await bundle(join(folder, 'viewer-page.js'), folder));
    const lines: string[] = [];
    page.on('console', (message) => lines.push(message.text()));
    await until('pictures arrive', () => lines.filter((line) => / bytes, -?\d+ ms old/.test(line)).length > 5);
    expect(page.faults).toEqual([]);
  });

  test('the React page of the README shows the wall', async () => {
    const alert = await playWalk('hall');
    const [reactCode = ''] = codeBlocks('jsx');
    const entry = `${reactCode}
      import { createRoot } from 'react-dom/client';
      createRoot(document.body).render(<App url="${router.httpUrl}" token="${token}" />);`;
    writeFileSync(join(folder, 'wall.jsx'), `import React from 'react';\n${entry}`);
    const page = await openPage(browser, await bundle(join(folder, 'wall.jsx'), folder));
    await untilInPage(page, 'document.querySelector("img")?.naturalWidth === 768');
    expect(await page.locator('figcaption').first().textContent()).toBe('streaming');
    alert('Somebody');
    await untilInPage(page, 'document.querySelector("li")?.textContent === "low: Somebody"');
    expect(page.faults).toEqual([]);
  });
});

/** The README's code in this language, in its order. */
function codeBlocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, code = '']) => code);
}

/** The README's code, for this router and this user. */
function adapted(code = ''): string {
  expect(code).toContain('http://127.0.0.1:3000');
  return code
    .replaceAll('http://127.0.0.1:3000', router.httpUrl)
    .replaceAll('process.env.TOKEN', JSON.stringify(token));
}

/** Runs code of the README in Node; ends with the test. */
async function start(name: string, code = ''): Promise<{ output: () => string; errors: () => string }> {
  expect(code).toContain('http://127.0.0.1:3000');
  writeFileSync(join(folder, name), code.replaceAll('http://127.0.0.1:3000', router.httpUrl));
  const child: ChildProcess = spawn(process.execPath, [name], { cwd: folder, env: { ...process.env, TOKEN: token } });
  let [output, errors] = ['', ''];
  child.stdout?.on('data', (data) => {
    output += data;
  });
  child.stderr?.on('data', (data) => {
    errors += data;
  });
  onTestFinished(() => void child.kill());
  return { output: () => output, errors: () => errors };
}

/** A camera that plays the walk, and raises alerts; ends with the test. */
async function playWalk(streamId: string): Promise<(message: string) => void> {
  const register = { streamId, produces: ['video-frame', 'alert'] };
  const { encoder } = await openEncoder(router.wsUrl, token, { encoding: 'msgpack', register });
  let sent = 0;
  const stop = steadily(15, () => {
    encoder.send({ type: 'video-frame', streamId, data: walk[sent % walk.length], timestamp: Date.now() });
    sent += 1;
  });
  onTestFinished(() => {
    stop();
    encoder.socket.terminate();
  });
  return (message) => encoder.send({ type: 'alert', streamId, severity: 'low', message });
}

/** What `npm pack --json` says is in the package itself, whichever npm said it. */
function packedIn(said: unknown): string[] {
  const all = Object.values(said as Record<string, { name: string; files: { path: string }[] }>);
  return all.find(({ name }) => name === 'watchout-router')?.files.map(({ path }) => path) ?? [];
}
